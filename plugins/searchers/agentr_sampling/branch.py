"""Whole attempts, then whole attempts from chosen nodes of them, as Tree-GRPO grows its trees (arXiv 2509.21240).

Every action that is drawn is played to an end: no sample is spent on a sibling that nobody follows, and where a path
branches each side has an outcome, which is what learning from advantages needs of a tree.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable

from agentr_core import Node, SearchContext, Searcher, Task, Tree
from agentr_sampling.attempts import attempt
from agentr_sampling.config import BranchConfig


class Branch(Searcher[BranchConfig]):
    """``attempts`` from the start, then ``rounds`` times one from each of ``nodes`` nodes; each is one simulation."""

    config_class = BranchConfig

    @property
    def simulations(self) -> int:
        """How many attempts a tree gets."""
        return self.config.attempts + self.config.rounds * self.config.nodes

    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Make the attempts from the start at once, then those of each round at once."""
        tree, config = context.tree, self.config
        while tree.simulations < self.simulations and not context.stopping:
            if tree.simulations < config.attempts:
                standing = Counter({tree.root: config.attempts})
            else:
                standing = self.chosen(tree, context.rng("branch", tree.simulations))
            attempts = standing.total()
            await attempt(context, standing, config)
            await context.commit(attempts)
        return tree

    def chosen(self, tree: Tree, rng: random.Random) -> Counter[Node]:
        """The nodes of one round, the first ones more than once where there are too few; the root where it is alone."""
        inner = [node for node in tree.nodes[1:] if node.expanded] or [tree.root]
        rng.shuffle(inner)  # and so ties are broken by chance: sorting keeps the order of equals
        rank = RANKS[self.config.choose](tree)
        inner.sort(key=rank)
        return Counter(inner[number % len(inner)] for number in range(self.config.nodes))


def by_depth(tree: Tree) -> Callable[[Node], tuple[float, ...]]:
    """The least branched first, of those the shallow ones."""
    return lambda node: (len(node.children), node.depth)


def by_spread(tree: Tree) -> Callable[[Node], tuple[float, ...]]:
    """Those first whose attempts ended most differently (the variance of their rewards)."""
    squares: defaultdict[Node, float] = defaultdict(float)
    for leaf in tree.leaves():
        for node in leaf.ancestors():
            squares[node] += leaf.visits * leaf.reward**2
    return lambda node: (node.value**2 - squares[node] / max(1, node.visits),)


def by_chance(tree: Tree) -> Callable[[Node], tuple[float, ...]]:
    """Any."""
    return lambda node: ()


RANKS = {"random": by_chance, "shallow": by_depth, "spread": by_spread}
