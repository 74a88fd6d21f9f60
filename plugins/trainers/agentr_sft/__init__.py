"""Supervised fine-tuning for agentr, on TRL. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_trainers() -> Iterable[PluginSpec]:
    """Register ``sft``."""
    return [
        PluginSpec(
            kind="trainer",
            name="sft",
            target="agentr_sft.trainer:SFT",
            config="agentr_sft.config:SFTSettings",
            summary="supervised fine-tuning with TRL, full or LoRA, loss on the trained turns alone",
            requires=("torch", "transformers", "trl", "accelerate", "datasets"),
            extra="train",
        )
    ]
