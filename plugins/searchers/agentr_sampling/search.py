"""Attempts from the start, with no value to guide them: best-of-n and greedy."""

from __future__ import annotations

from collections import Counter

from agentr_core import SearchContext, Searcher, Task, Tree
from agentr_sampling.attempts import attempt
from agentr_sampling.config import BestOfNConfig, GreedyConfig


class BestOfN(Searcher[BestOfNConfig]):
    """``attempts`` independent attempts; each counts as one simulation."""

    config_class = BestOfNConfig

    @property
    def simulations(self) -> int:
        """How many attempts a tree gets."""
        return self.config.attempts

    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Make the attempts, so many at once as the configuration says."""
        tree, config = context.tree, self.config
        while tree.simulations < config.attempts and not context.stopping:
            attempts = min(config.attempts_in_flight, config.attempts - tree.simulations)
            await attempt(context, Counter({tree.root: attempts}), config)
            await context.commit(attempts)
        return tree


class Greedy(Searcher[GreedyConfig]):
    """One attempt at temperature 0."""

    config_class = GreedyConfig

    @property
    def simulations(self) -> int:
        """One."""
        return 1

    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Make the attempt."""
        if context.tree.simulations == 0 and not context.stopping:
            await attempt(context, Counter({context.tree.root: 1}), self.config)
            await context.commit()
        return context.tree
