"""The contract of a searcher."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from agentr_core.policy import AnyPolicy
from agentr_core.pool import EnvironmentPool
from agentr_core.scheduler import TreeContext
from agentr_core.searcher import AnySearcher
from agentr_core.testing.contract import Contract, require, same
from agentr_core.testing.fakes import CounterConfig, CounterEnvironment, ScriptedPolicy
from agentr_core.testing.golden import tree_as_json, tree_from_json
from agentr_core.tree import Node, Tree

#: Episodes of the world that searchers are tried on end by themselves, so that no searcher needs a horizon.
WORLD_STEPS = 12


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
        for node in self._grow().tree.nodes[1:]:
            parent = node.parent
            assert parent is not None
            require(parent.index < node.index and node in parent.children, "a parent made before", node)
            same(parent.depth + 1, node.depth, "a node's depth and its parent's plus one")
            require(not (parent.terminal and parent.depth), "no children below an end", parent)

    def visits_and_values_add_up(self) -> None:
        """A parent has at least its children's visits and their rewards; a mean lies in [0, 1]."""
        for node in self._grow().tree.nodes:
            below = sum(child.visits for child in node.children)
            require(node.visits >= below, f"at least {below} visits (its children's)", node.visits)
            require(-1e-9 <= node.value_sum <= node.visits + 1e-9, "a mean value in [0, 1]", node)

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
        asyncio.run(growth.run(self._make()))
        return growth


class _Growth:
    """One search, with a store in memory that counts what it is given."""

    def __init__(
        self,
        *,
        policy: AnyPolicy | None = None,
        tree: Tree | None = None,
        stop_after: int | None = None,
        keep: bool = False,
    ) -> None:
        self.policy, self._start, self._stop_after, self._keep = policy or ScriptedPolicy(), tree, stop_after, keep
        self.commits: list[int] = []
        self.committed: list[int] = []
        self.states: list[dict[str, Any]] = []
        self.tree: Tree

    async def run(self, searcher: AnySearcher) -> None:
        pool = EnvironmentPool(lambda: CounterEnvironment(CounterConfig(max_steps=WORLD_STEPS)))
        task = pool.reference.tasks("train")[2]
        context = await TreeContext.open(
            task,
            pool=pool,
            policy=self.policy,
            save=self._save,
            seed=11,
            session="1",
            tree=self._start,
            stop=self._told_to_stop,
        )
        try:
            self.tree = await searcher.search(task, context)
        finally:
            context.close()
            pool.close()

    def _told_to_stop(self) -> bool:
        return self._stop_after is not None and len(self.commits) >= self._stop_after

    async def _save(self, tree: Tree, new: Sequence[Node], changed: Sequence[Node]) -> None:
        self.commits.append(tree.simulations)
        self.committed += [node.index for node in new]
        if self._keep:
            self.states.append(tree_as_json(tree))
