"""AgentGym's HTTP servers as environments. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Register ``agentgym``."""
    return [
        PluginSpec(
            kind="env",
            name="agentgym",
            target="agentr_agentgym.env:AgentGym",
            config="agentr_agentgym.config:AgentGymConfig",
            summary="any of AgentGym's HTTP servers (ALFWorld, BabyAI, ...), or agentr serve, by its address",
        )
    ]
