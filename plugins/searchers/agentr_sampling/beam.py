"""Beam search over the states of the environment: the best few of each depth are gone on from.

It has no critic and no value model, so it is as good as what it ranks by. An environment that rewards nothing before
the end (TextCraft) leaves it the policy's own likelihood; where neither tells states apart, the first ones are taken.
"""

from __future__ import annotations

import math

from agentr_core import Node, SearchContext, Searcher, Task, Tree, UsageError, gather_all
from agentr_sampling.attempts import backup
from agentr_sampling.config import BeamConfig


class Beam(Searcher[BeamConfig]):
    """Expands the front of each depth at once; a depth is one simulation."""

    config_class = BeamConfig

    @property
    def simulations(self) -> int:
        """How many depths there are at the most."""
        return self.config.depth

    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Go down depth by depth until every attempt has come to its end."""
        tree = context.tree
        while tree.simulations < self.config.depth and not tree.root.exhausted and not context.stopping:
            children = await gather_all(self.expand(node, context) for node in self.front(tree, tree.simulations))
            for child in (child for siblings in children for child in siblings):
                if child.terminal:
                    backup(child)
            tree.root.exhausted = not self.front(tree, tree.simulations + 1)
            await context.commit()
        return tree

    async def expand(self, node: Node, context: SearchContext) -> list[Node]:
        """Draw the actions at ``node`` and do them."""
        config = self.config
        return await context.expand(
            node,
            config.samples,
            config.sampling(),
            merge=config.merge_key,
            horizon=config.depth,
            again=config.asking_again(),
        )

    def front(self, tree: Tree, depth: int) -> list[Node]:
        """The nodes of ``depth`` that are gone on from: the best ``width``, one for each state of the environment."""
        going = [node for node in tree.nodes if node.depth == depth and not node.terminal]
        if len(going) > 1:
            going.sort(key=self.score, reverse=True)
        states = {node.state_key: node for node in reversed(going)}  # of equal states the best, which is set last
        return [node for node in going if states[node.state_key] is node][: self.config.width]

    def score(self, node: Node) -> tuple[float, ...]:
        """What ``node`` is ranked by, the higher the better."""
        likelihood = path_likelihood(node)
        if self.config.score == "reward":
            return node.reward, -math.inf if likelihood is None else likelihood
        if likelihood is None:
            raise UsageError(
                "beam.score=likelihood needs log-probabilities, and the policy tells none: begin another run with "
                "beam.score=reward, or with a policy that tells them (a run keeps its settings)"
            )
        return (likelihood,)


def path_likelihood(node: Node) -> float | None:
    """The mean log-probability (natural log) of a token of all turns up to ``node``; None where one has none."""
    told = [step.completion.logprobs if step.completion else () for step in node.path()]
    if not all(told):
        return None
    return sum(map(sum, told)) / max(1, sum(map(len, told)))
