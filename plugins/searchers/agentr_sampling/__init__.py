"""Searchers that draw from the policy without a search in the tree: whole attempts, and beam search.

This module only registers them.
"""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl

_SEARCHERS = {
    "best_of_n": ("search:BestOfN", "BestOfNConfig", "n independent attempts, shared starts kept once"),
    "greedy": ("search:Greedy", "GreedyConfig", "one attempt at temperature 0"),
    "branch": ("branch:Branch", "BranchConfig", "whole attempts, then whole attempts from chosen nodes (Tree-GRPO)"),
    "beam": ("beam:Beam", "BeamConfig", "the best few states of each depth, by reward or likelihood"),
    "reflect": ("reflect:Reflect", "ReflectConfig", "back to the step that the model calls wrong (after LEAFE)"),
}


@hookimpl
def agentr_register_searchers() -> Iterable[PluginSpec]:
    """Register ``best_of_n``, ``greedy``, ``branch``, ``beam`` and ``reflect``."""
    return [
        PluginSpec(
            kind="searcher",
            name=name,
            target=f"agentr_sampling.{target}",
            config=f"agentr_sampling.config:{config}",
            summary=summary,
        )
        for name, (target, config, summary) in _SEARCHERS.items()
    ]
