"""TextWorldExpress for agentr: eight small text games, generated from seeds. This module only registers them."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``textworld_express``."""
    return [
        PluginSpec(
            kind="env",
            name="textworld_express",
            target="agentr_textworld_express.env:TextWorldExpress",
            config="agentr_textworld_express.config:TextWorldExpressConfig",
            summary="eight small text games from seeds: cooking, coins, maps and others (needs Java 8 or newer)",
            requires=("py4j", "textworld_express"),
            extra="textworld-express",
        )
    ]
