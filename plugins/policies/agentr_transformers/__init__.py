"""Hugging Face causal language models as policies. This module only registers them."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import CommandSpec, ModelSpec, PluginSpec, hookimpl


@hookimpl
def agentr_register_policies() -> Iterable[PluginSpec]:
    """Register ``transformers``."""
    return [
        PluginSpec(
            kind="policy",
            name="transformers",
            target="agentr_transformers.policy:TransformersPolicy",
            config="agentr_transformers.config:TransformersConfig",
            summary="Hugging Face causal language models by path or id, batched, on CPU or GPU",
            requires=("torch", "transformers", "safetensors"),
            extra="transformers",
        )
    ]


@hookimpl
def agentr_register_commands() -> Iterable[CommandSpec]:
    """Register ``agentr models``."""
    return [
        CommandSpec("models", "agentr_transformers.commands:models", help="List and fetch the models that come along.")
    ]


@hookimpl
def agentr_register_models() -> Iterable[ModelSpec]:
    """Register the models that need nothing but the package index."""
    return [
        ModelSpec("tiny", "agentr_transformers.models:tiny", here="agentr_transformers.models:tiny"),
        ModelSpec("careless", "agentr_transformers.models:careless", here="agentr_transformers.models:careless"),
        ModelSpec("smollm2-135m", "agentr_transformers.models:smollm2", here="agentr_transformers.models:smollm2_here"),
    ]
