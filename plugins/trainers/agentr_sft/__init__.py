"""Supervised fine-tuning for agentr, on TRL. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import metadata
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from agentr_core import Finding, PluginSpec, hookimpl

if TYPE_CHECKING:
    from agentr_core import Machine


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


@hookimpl
def agentr_findings(machine: Machine, settings: Mapping[str, Mapping[str, Any]]) -> Iterable[Finding]:
    """How many processes a training would have, where what starts them is installed."""
    if find_spec("accelerate") is None:
        return []
    from agentr_training.spreading import most_processes

    from agentr_sft.config import SFTSettings

    sft = settings.get("sft", {})
    packages = f"accelerate {metadata.version('accelerate')}"
    packages += f", deepspeed {metadata.version('deepspeed')}" if find_spec("deepspeed") else ", no deepspeed"
    batch = sft.get("batch_size", SFTSettings.model_fields["batch_size"].default)
    asked, many = sft.get("processes", "auto"), most_processes(len(machine.gpus), batch)
    each = f"{many} processes, one on each GPU" if many > 1 else "1 process"
    told = f"sft.processes=auto would train in {each}" if asked == "auto" else f"sft.processes={asked}"
    return [Finding("training", "ok", f"{told} ({packages})")]
