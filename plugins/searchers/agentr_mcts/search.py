"""Monte Carlo tree search over attempts at one task: Agent-R section 2.2, as its published code runs it.

One simulation walks from the root. Where it meets a node that is not expanded it draws the candidate actions, does
each of them, and backs up the reward of those that end the attempt; then it moves on to a child, unvisited ones
first, until nothing below it is left to search. There is no other rollout: the walk itself is the rollout.

Beyond the paper: several walks of one tree at once (``leaves_in_flight``), kept apart by virtual loss (Chaslot et al.
2008); selection by priors (``selection``; :mod:`agentr_mcts.priors`) with a value model as a guide (``value_model``;
:mod:`agentr_mcts.guide`); asking again for what is a copy (``again``).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from agentr_core import Node, SearchContext, Searcher, Task, Tree, by_action, by_response, gather_all
from agentr_mcts.config import MCTSConfig
from agentr_mcts.guide import Guide
from agentr_mcts.priors import select_gumbel, select_puct

_MERGE = {"action": by_action, "response": by_response}


@dataclass(slots=True)
class Walk:
    """One simulation on its way down: its number, the node where it is, and its own random numbers."""

    number: int
    node: Node
    rng: random.Random


class MCTS(Searcher[MCTSConfig]):
    """The paper's search."""

    config_class = MCTSConfig

    def __init__(self, config: MCTSConfig) -> None:
        super().__init__(config)
        self.guide = None if config.value_model is None else Guide(config)

    @property
    def simulations(self) -> int:
        """How many simulations a tree gets at the most."""
        return self.config.simulations

    def check(self) -> None:
        """See :meth:`agentr_core.Searcher.check`: a value model that guides is there."""
        if self.guide is not None:
            self.guide.model.check()

    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Simulate until the budget is spent or every attempt within reach is in the tree."""
        tree = context.tree
        while tree.simulations < self.config.simulations and not tree.root.exhausted and not context.stopping:
            walks = min(self.config.leaves_in_flight, self.config.simulations - tree.simulations)
            await self.simulate(context, range(tree.simulations, tree.simulations + walks))
            await context.commit(walks)
        return tree

    async def simulate(self, context: SearchContext, numbers: range) -> None:
        """Run the simulations with these numbers side by side: all expand at once, then each walks on, in turn."""
        walks = [Walk(number, context.tree.root, context.rng("simulation", number)) for number in numbers]
        in_flight = Counter(walk.node for walk in walks)
        while walks := [walk for walk in walks if self.descend(walk, in_flight, context)]:
            leaves = list(dict.fromkeys(walk.node for walk in walks))
            expanded = await gather_all(self.expand(leaf, context) for leaf in leaves)
            for leaf, children in zip(leaves, expanded, strict=True):
                for child in children:
                    if child.terminal:
                        backup(child)
                mark_exhausted(leaf)

    def descend(self, walk: Walk, in_flight: Counter[Node], context: SearchContext) -> bool:
        """Walk down to a node that is not expanded. False: there is none on this way, the simulation ends here."""
        while walk.node.expanded:
            child = self.choose(walk, in_flight, context)
            if child is None:
                in_flight.subtract(walk.node.ancestors())
                return False
            walk.node = child
            in_flight[child] += 1
        return True

    def choose(self, walk: Walk, in_flight: Counter[Node], context: SearchContext) -> Node | None:
        """The child that the walk goes on to; None where nothing below its node is left to search."""
        if self.config.selection == "uct":
            return select(walk.node, self.config.c_uct, walk.rng, in_flight)
        if self.config.selection == "puct":
            return select_puct(walk.node, self.config, walk.rng, in_flight)
        return select_gumbel(walk.node, self.config, walk.number, in_flight, context.rng)

    async def expand(self, node: Node, context: SearchContext) -> list[Node]:
        """Draw the candidate actions at ``node`` and do them (section 4.2: 4 candidates, depth 20)."""
        config, guide = self.config, self.guide

        async def best(at: Node, turns: Sequence[str]) -> Sequence[int]:
            assert guide is not None, "only a value model chooses"
            return await guide.best(context, at, turns, config.samples)

        children = await context.expand(
            node,
            config.consider or config.samples,
            config.sampling(),
            merge=_MERGE[config.merge],
            horizon=config.depth,
            again=config.asking_again(),
            choose=best if config.consider else None,
        )
        if guide is not None:
            await guide.look_at(context, children)
        return children

    async def close(self) -> None:
        """See :meth:`agentr_core.Searcher.close`."""
        if self.guide is not None:
            await self.guide.close()


def select(node: Node, c_uct: float, rng: random.Random, in_flight: Counter[Node]) -> Node | None:
    """The child with the highest UCT, ties at random; None where nothing below ``node`` is left to search.

    Every other walk that is below a node now counts there as a visit with reward 0 (virtual loss).
    """
    parent_visits = node.visits + in_flight[node] - 1
    best, candidates = -math.inf, list[Node]()
    for child in node.children:
        if child.terminal or child.exhausted:
            continue
        score = uct(child.value_sum, child.visits + in_flight[child], parent_visits, c_uct)
        if score > best:
            best, candidates = score, [child]
        elif score == best:
            candidates.append(child)
    return rng.choice(candidates) if candidates else None


def uct(value_sum: float, visits: int, parent_visits: int, c_uct: float) -> float:
    """Q(s) + c sqrt(ln N(parent) / N(s)), infinite for an unvisited node (section 2.2, equation 5)."""
    if visits == 0:
        return math.inf
    return value_sum / visits + c_uct * math.sqrt(math.log(max(1, parent_visits)) / visits)


def backup(leaf: Node) -> None:
    """Count a finished attempt at every node on its way: N(s) += 1, the sum of rewards += its reward (section 2.2).

    Called once for each terminal node, when it is made: N(s) counts the finished attempts below s.
    """
    for node in leaf.ancestors():
        node.visits += 1
        node.value_sum += leaf.reward


def mark_exhausted(node: Node) -> None:
    """Mark ``node`` and its ancestors exhausted as far as all their children are terminal or exhausted."""
    for ancestor in node.ancestors():
        if not all(child.terminal or child.exhausted for child in ancestor.children):
            return
        ancestor.exhausted = True
