"""Critics for agentr: ways to find the first error of a failed attempt. This module only registers them."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl

_CRITICS = {
    "actor": ("llm_judge:ActorCritic", "the acting model judges each step (Agent-R)"),
    "judge": ("llm_judge:JudgeCritic", "another model judges each step"),
    "value": ("model_free:ValueCritic", "first step after which the tree's best return falls"),
    "last": ("model_free:LastCritic", "keeps the whole bad trajectory (Direct-Revision)"),
    "oracle": ("model_free:OracleCritic", "first step that does not bring the environment's goal nearer"),
    "unrecoverable": ("unrecoverable:UnrecoverableCritic", "first step after which no rollout succeeds, measured"),
    "random": ("model_free:RandomCritic", "a step drawn at random"),
}


@hookimpl
def agentr_register_critics() -> Iterable[PluginSpec]:
    """Register ``actor``, ``judge``, ``value``, ``last``, ``oracle``, ``unrecoverable`` and ``random``."""
    configs = {"actor": "ActorConfig", "judge": "JudgeConfig", "unrecoverable": "UnrecoverableConfig"}
    return [
        PluginSpec(
            kind="critic",
            name=name,
            target=f"agentr_critics.{target}",
            config=f"agentr_critics.config:{configs.get(name, 'NoConfig')}",
            summary=summary,
        )
        for name, (target, summary) in _CRITICS.items()
    ]
