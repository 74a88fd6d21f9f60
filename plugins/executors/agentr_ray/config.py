"""Settings of the executor ``ray``."""

from __future__ import annotations

from pydantic import Field

from agentr_core import PluginConfig


class RayConfig(PluginConfig):
    """Which cluster, how many workers, and what each of them takes of it."""

    address: str = Field(
        default="", description="auto, or HOST:PORT of the cluster; where empty, Ray is started on this machine"
    )
    workers: int | None = Field(
        default=None, ge=1, description="workers; unless given, as many as the CPUs that are there now allow"
    )
    cpus_per_worker: float = Field(default=1.0, ge=0.0, description="CPUs that each takes")
    gpus_per_worker: float = Field(default=0.0, ge=0.0, description="GPUs that each takes, for an engine inside it")
    resources: dict[str, float] = Field(
        default_factory=dict, description="further resources that each takes, as the cluster calls them"
    )
    environment: dict[str, str] = Field(
        default_factory=dict, description="environment variables that each is started with"
    )
