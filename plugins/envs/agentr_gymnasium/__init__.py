"""Gymnasium for agentr, both ways: its text environments in agentr's runs, agentr's in ``gymnasium.make``.

This module only registers the first; the second is ``import agentr_gymnasium.envs``.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``gymnasium``."""
    return [
        PluginSpec(
            kind="env",
            name="gymnasium",
            target="agentr_gymnasium.env:GymnasiumEnvironment",
            config="agentr_gymnasium.config:GymnasiumConfig",
            summary="any environment of text or few actions that is registered with Gymnasium, TextArena or TextWorld",
            requires=("gymnasium", "numpy"),
            extra="gymnasium",
        )
    ]
