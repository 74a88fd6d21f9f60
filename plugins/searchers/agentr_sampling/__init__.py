"""Searchers without a search, to compare with at equal cost: best-of-n and greedy. This module only registers them."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_searchers() -> Iterable[PluginSpec]:
    """Register ``best_of_n`` and ``greedy``."""
    return [
        PluginSpec(
            kind="searcher",
            name="best_of_n",
            target="agentr_sampling.search:BestOfN",
            config="agentr_sampling.config:BestOfNConfig",
            summary="n independent attempts, shared starts kept once",
        ),
        PluginSpec(
            kind="searcher",
            name="greedy",
            target="agentr_sampling.search:Greedy",
            config="agentr_sampling.config:GreedyConfig",
            summary="one attempt at temperature 0",
        ),
    ]
