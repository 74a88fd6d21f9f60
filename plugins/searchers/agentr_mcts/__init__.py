"""Monte Carlo tree search for agentr, as Agent-R does it. This module only registers it."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import PluginSpec, hookimpl


@hookimpl
def agentr_register_searchers() -> Iterable[PluginSpec]:
    """Register ``mcts``."""
    return [
        PluginSpec(
            kind="searcher",
            name="mcts",
            target="agentr_mcts.search:MCTS",
            config="agentr_mcts.config:MCTSConfig",
            summary="Monte Carlo tree search with UCT (Agent-R section 2.2)",
        )
    ]
