"""Whole attempts from any nodes of a tree to their ends.

Attempts go down the tree together: where c of them stand at one node, c actions are drawn there in one request, and
those that drew the same stay together. Each attempt is an independent draw from the policy, as if it were alone.
"""

from __future__ import annotations

from collections import Counter

from agentr_core import Node, SearchContext, gather_all
from agentr_sampling.config import GreedyConfig


async def attempt(context: SearchContext, standing: Counter[Node], config: GreedyConfig, *, note: str = "") -> None:
    """Take the attempts that stand at nodes on to their ends and back up rewards; ``note`` is told all the way."""
    while standing:
        drawn = await gather_all(draw(context, node, count, config, note) for node, count in standing.items())
        standing = Counter()
        for child, count in (pair for pairs in drawn for pair in pairs):
            if child.terminal:
                backup(child, count)
            else:
                standing[child] += count


async def draw(
    context: SearchContext, node: Node, count: int, config: GreedyConfig, note: str
) -> list[tuple[Node, int]]:
    """Draw ``count`` actions at ``node``: the children, and how many of the draws fell on each."""
    before = {child.index: child.copies for child in node.children}
    children = await context.expand(
        node, count, config.sampling(), merge=config.merge_key, horizon=config.depth, note=note
    )
    return [(child, child.copies - before.get(child.index, 0)) for child in children]


def backup(leaf: Node, attempts: int = 1) -> None:
    """Count ``attempts`` finished attempts at every node on their way."""
    for node in leaf.ancestors():
        node.visits += attempts
        node.value_sum += attempts * leaf.reward
