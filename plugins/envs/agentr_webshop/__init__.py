"""WebShop for agentr: buy what an instruction asks for, in a shop of real or generated products.

This module only registers it.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import CommandSpec, PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``webshop``."""
    return [
        PluginSpec(
            kind="env",
            name="webshop",
            target="agentr_webshop.env:WebShop",
            config="agentr_webshop.config:WebShopConfig",
            summary="buy what an instruction asks for, in a made-up or the original shop; rules to the byte or strict",
            requires=("numpy", "rapidfuzz"),
            extra="webshop",
        )
    ]


@hookimpl
def agentr_register_commands() -> Iterable[CommandSpec]:
    """Register ``agentr webshop-nouns``."""
    help_ = "Tag WebShop's titles with spaCy, for rewards as the original's."
    return [CommandSpec("webshop-nouns", "agentr_webshop.tagging:webshop_nouns", help=help_)]


@hookimpl
def agentr_register_data() -> Iterable[CommandSpec]:
    """Register ``agentr data get webshop``."""
    return [
        CommandSpec("webshop", "agentr_webshop.commands:webshop", help="WebShop's products, 1,000 or 1.18 million.")
    ]
