"""Learning from preferences for agentr, on TRL. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_trainers() -> Iterable[PluginSpec]:
    """Register ``dpo``."""
    return [
        PluginSpec(
            kind="trainer",
            name="dpo",
            target="agentr_dpo.trainer:DPO",
            config="agentr_dpo.config:DPOSettings",
            summary="direct preference optimization with TRL: attempts and sibling actions against each other",
            requires=("torch", "transformers", "trl", "accelerate", "datasets"),
            extra="train",
        )
    ]
