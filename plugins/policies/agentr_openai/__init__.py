"""Servers with an OpenAI-compatible interface as policies. This module only registers them."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_policies() -> Iterable[PluginSpec]:
    """Register ``openai``."""
    return [
        PluginSpec(
            kind="policy",
            name="openai",
            target="agentr_openai.policy:OpenAIPolicy",
            config="agentr_openai.config:OpenAIConfig",
            summary="any OpenAI-compatible server, or several: vLLM, llama.cpp, a hosted model",
            requires=("openai", "aiohttp"),
            extra="openai",
        )
    ]
