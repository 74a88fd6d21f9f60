"""A model of what states are worth: its trainer, and a critic that asks it. This module only registers them."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_trainers() -> Iterable[PluginSpec]:
    """Register ``value``."""
    return [
        PluginSpec(
            kind="trainer",
            name="value",
            target="agentr_value.trainer:ValueTrainer",
            config="agentr_value.config:ValueSettings",
            summary="a value model out of the trees' values: will this attempt succeed, yes or no",
            requires=("torch", "transformers", "trl", "accelerate", "datasets"),
            extra="train",
        )
    ]


@hookimpl
def agentr_register_critics() -> Iterable[PluginSpec]:
    """Register ``progress``."""
    return [
        PluginSpec(
            kind="critic",
            name="progress",
            target="agentr_value.progress:ProgressCritic",
            config="agentr_value.config:ProgressConfig",
            summary="first step after which a value model (of the trainer 'value') expects less",
        )
    ]
