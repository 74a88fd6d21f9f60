"""Workers on a Ray cluster, for agentr. This module only registers the executor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from agentr_core import Finding, PluginSpec, hookimpl

if TYPE_CHECKING:
    from agentr_core import Machine


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


@hookimpl
def agentr_findings(machine: Machine, settings: Mapping[str, Mapping[str, Any]]) -> Iterable[Finding]:
    """Whether the cluster answers, where a run here would use one."""
    if find_spec("ray") is None and "ray" not in settings:
        return []
    from agentr_ray.looking import cluster

    return [cluster(settings.get("ray", {}).get("address") or "", machine)]
