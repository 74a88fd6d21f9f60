"""Several worker processes on this machine, for agentr. This module only registers the executor."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_executors() -> Iterable[PluginSpec]:
    """Register ``processes``."""
    return [
        PluginSpec(
            kind="executor",
            name="processes",
            target="agentr_processes.executor:Processes",
            config="agentr_processes.config:ProcessesConfig",
            summary="several worker processes on this machine",
        )
    ]
