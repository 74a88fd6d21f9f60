"""Workers on a Ray cluster, for agentr. This module only registers the executor."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_executors() -> Iterable[PluginSpec]:
    """Register ``ray``."""
    return [
        PluginSpec(
            kind="executor",
            name="ray",
            target="agentr_ray.executor:RayExecutor",
            config="agentr_ray.config:RayConfig",
            summary="workers on a Ray cluster, or on this machine with Ray",
            requires=("ray",),
            extra="ray",
            advice="; or do the work without it: --executor local",
        )
    ]
