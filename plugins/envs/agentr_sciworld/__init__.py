"""ScienceWorld for agentr: science experiments in a simulated building. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``sciworld``."""
    return [
        PluginSpec(
            kind="env",
            name="sciworld",
            target="agentr_sciworld.env:SciWorld",
            config="agentr_sciworld.config:SciWorldConfig",
            summary="do science experiments in a simulated building (ScienceWorld, needs Java 8 or newer)",
            requires=("py4j", "scienceworld"),
            extra="sciworld",
        )
    ]
