"""The contract of a searcher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.search.search_context import TreeContext
from agentr_core.testing.contract import Contract, require, same
from agentr_core.testing.fakes import CounterConfig, CounterEnvironment, ScriptedPolicy
from agentr_core.testing.golden import tree_as_json, tree_from_json

#: Episodes of the world that searchers are tried on end by themselves, so that no searcher needs a horizon.
WORLD_STEPS = 12
IN_FLIGHT = 3


class SearcherContract(Contract):
    """Rules for the searchers that ``make`` makes, tried in a world that counts with a policy that needs no model."""

    subject = "searcher"

    def __init__(self, make: Callable[[], AnySearcher]) -> None:
        self._make = make

    def the_budget_is_kept(self) -> str:
        """At least one simulation, and no more than ``simulations``."""
        budget, tree = self._make().simulations, self._grow().tree
        require(budget >= 1, "a budget of at least 1 simulation", budget)
        require(1 <= tree.simulations <= budget, f"1 to {budget} simulations", tree.simulations)
        return f"{tree.simulations} of {budget} simulations, {len(tree.nodes)} nodes"

    def every_node_has_its_place(self) -> None:
        """Parents come before their children, depths count up, and only ends have no children."""
        for index, node in enumerate(self._grow().tree.nodes[1:], start=1):
            parent, where = node.parent, f"node {index}"
            require(parent is not None, f"a parent of {where}", "none")
            assert parent is not None
            same(index, node.index, "a node's place and its number")
            require(parent.index < index and node in parent.children, f"{where} below a node made before", parent.index)
            same(parent.depth + 1, node.depth, f"the depth of {where} and its parent's plus one")
            require(not (parent.terminal and parent.depth), "no children below an end", where)

    def visits_and_values_add_up(self) -> None:
        """N(s) is what its children explain plus its own visits, and so is the sum of rewards: none below 0."""
        for node in self._grow().tree.nodes:
            own = node.visits - sum(child.visits for child in node.children)
            own_sum = node.value_sum - sum(child.value_sum for child in node.children)
            require(own >= 0, f"at least its children's visits at node {node.index}", f"{own} more than they")
            require(
                -1e-9 <= own_sum <= own + 1e-9, f"own rewards in [0, 1] at node {node.index}", f"{own_sum} of {own}"
            )
            if node.terminal:
                paid = node.visits * node.reward
                require(abs(own_sum - paid) < 1e-9, f"its own reward backed up at end {node.index}", own_sum)

    def there_is_something_to_compare(self) -> str:
        """At least one attempt came to its end."""
        leaves = self._grow().tree.leaves()
        require(leaves, "at least one whole attempt", "none")
        return f"{len(leaves)} leaves"

    def every_node_is_committed_once(self) -> None:
        """What ``commit`` was given is the whole tree."""
        grown = self._grow()
        same(
            sorted(grown.committed), [node.index for node in grown.tree.nodes], "nodes committed and nodes in the tree"
        )

    def the_same_seed_grows_the_same_tree(self) -> None:
        """However the answers of the policy overtake each other."""
        first = tree_as_json(self._grow().tree)
        same(first, tree_as_json(self._grow(policy=ScriptedPolicy(jitter=7)).tree), "the tree")

    def trees_in_flight_do_not_disturb_each_other(self) -> str:
        """One searcher grows them side by side, in shared environments, as a run does."""
        alone = [tree_as_json(self._grow(number=number).tree) for number in range(IN_FLIGHT)]

        async def together() -> list[Tree]:
            searcher, pool = self._make(), EnvironmentPool(_world, limit=2)
            growths = [_Growth(number=number, policy=ScriptedPolicy(jitter=5)) for number in range(IN_FLIGHT)]
            try:
                await asyncio.gather(*(growth.run(searcher, pool) for growth in growths))
            finally:
                pool.close()
            return [growth.tree for growth in growths]

        for one, other in zip(alone, asyncio.run(together()), strict=True):
            same(one, tree_as_json(other), "a tree alone and beside others")
        return f"{IN_FLIGHT} trees"

    def it_stops_when_told(self) -> None:
        """Before the first simulation, and after the first commit."""
        require(self._grow(stop_after=0).tree.simulations == 0, "no simulation", "one or more")
        full, cut = self._grow(), self._grow(stop_after=1)
        require(len(cut.commits) <= 1, "no commit after it was told to stop", f"{len(cut.commits)} commits")
        require(
            cut.tree.simulations <= full.tree.simulations,
            "fewer simulations than without the stop",
            cut.tree.simulations,
        )

    def an_interrupted_tree_becomes_the_tree_it_would_have_been(self) -> str:
        """Every state that was committed is taken up again, as after a crash."""
        full = self._grow(keep=True)
        for state in full.states[:-1]:
            resumed = self._grow(tree=tree_from_json(state))
            same(full.states[-1], tree_as_json(resumed.tree), "the tree")
        return f"resumed at {len(full.states) - 1} places"

    def a_policy_without_ideas_does_no_harm(self) -> None:
        """Answers without an action: the search comes to an end."""
        tree = self._grow(policy=ScriptedPolicy(lambda messages, rng: "")).tree
        require(tree.simulations <= self._make().simulations, "the budget to be kept", tree.simulations)

    def _grow(self, **options: Any) -> _Growth:
        growth = _Growth(**options)
        pool = EnvironmentPool(_world)
        try:
            asyncio.run(growth.run(self._make(), pool))
        finally:
            pool.close()
        return growth


def _world() -> CounterEnvironment:
    return CounterEnvironment(CounterConfig(max_steps=WORLD_STEPS))


class _Growth:
    """One search, with a store in memory that counts what it is given."""

    def __init__(
        self,
        *,
        number: int = 0,
        policy: AnyPolicy | None = None,
        tree: Tree | None = None,
        stop_after: int | None = None,
        keep: bool = False,
    ) -> None:
        self.policy, self._start, self._stop_after, self._keep = policy or ScriptedPolicy(), tree, stop_after, keep
        self._number = number
        self.commits: list[int] = []
        self.committed: list[int] = []
        self.states: list[dict[str, Any]] = []
        self.tree: Tree

    async def run(self, searcher: AnySearcher, pool: EnvironmentPool) -> None:
        task = pool.reference.tasks("train")[2 + self._number]
        context = await TreeContext.open(
            task,
            pool=pool,
            policy=self.policy,
            save=self._save,
            seed=11 + self._number,
            session=str(self._number),
            tree=self._start,
            stop=self._told_to_stop,
        )
        try:
            self.tree = await searcher.search(task, context)
        finally:
            context.close()

    def _told_to_stop(self) -> bool:
        return self._stop_after is not None and len(self.commits) >= self._stop_after

    async def _save(self, tree: Tree, new: Sequence[Node], changed: Sequence[Node]) -> None:
        self.commits.append(tree.simulations)
        self.committed += [node.index for node in new]
        if self._keep:
            self.states.append(tree_as_json(tree))
