"""Whole attempts from the start, with no value to guide them.

Attempts go down the tree together: where c of them stand at one node, c actions are drawn there in one request, and
those that drew the same stay together. Each attempt is an independent draw from the policy, as if it were alone.
"""

from __future__ import annotations

from collections import Counter

from agentr_core import MergeKey, Node, SearchContext, Searcher, Task, Tree, by_action, by_response, gather_all
from agentr_sampling.config import BestOfNConfig, GreedyConfig

_MERGE = {"action": by_action, "response": by_response}


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
            await attempt(context, attempts, config, _MERGE[config.merge])
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
            await attempt(context, 1, self.config, by_response)
            await context.commit()
        return context.tree


async def attempt(context: SearchContext, attempts: int, config: GreedyConfig, merge: MergeKey) -> None:
    """Take ``attempts`` attempts from the root to their ends and back up their rewards."""
    standing = Counter({context.tree.root: attempts})
    while standing:
        drawn = await gather_all(draw(context, node, count, config, merge) for node, count in standing.items())
        standing = Counter()
        for child, count in (pair for pairs in drawn for pair in pairs):
            if child.terminal:
                backup(child, count)
            else:
                standing[child] += count


async def draw(
    context: SearchContext, node: Node, count: int, config: GreedyConfig, merge: MergeKey
) -> list[tuple[Node, int]]:
    """Draw ``count`` actions at ``node``: the children, and how many of the draws fell on each."""
    before = {child.index: child.copies for child in node.children}
    children = await context.expand(node, count, config.sampling(), merge=merge, horizon=config.depth)
    return [(child, child.copies - before.get(child.index, 0)) for child in children]


def backup(leaf: Node, attempts: int) -> None:
    """Count ``attempts`` finished attempts at every node on their way."""
    for node in leaf.ancestors():
        node.visits += attempts
        node.value_sum += attempts * leaf.reward
