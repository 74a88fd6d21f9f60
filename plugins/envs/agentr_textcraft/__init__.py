"""TextCraft for agentr: crafting from Minecraft recipes, or in a generated world. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``textcraft``."""
    return [
        PluginSpec(
            kind="env",
            name="textcraft",
            target="agentr_textcraft.env:TextCraft",
            config="agentr_textcraft.config:TextCraftConfig",
            summary="craft items from recipes (Minecraft 1.16.5 or generated), rules of AgentGym or strict",
        )
    ]
