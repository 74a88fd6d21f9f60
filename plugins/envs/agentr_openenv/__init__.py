"""OpenEnv's servers as environments. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``openenv``."""
    return [
        PluginSpec(
            kind="env",
            name="openenv",
            target="agentr_openenv.env:OpenEnv",
            config="agentr_openenv.config:OpenEnvConfig",
            summary="any OpenEnv server (or agentr serve --protocol openenv), by its address",
            requires=("websockets",),
            extra="openenv",
        )
    ]
