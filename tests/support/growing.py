from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.in_flight import run_bounded
from agentr_core.search.search_context import TreeContext
from agentr_core.testing.fakes import CounterEnvironment, ScriptedPolicy
from agentr_core.testing.golden import tree_as_json


@dataclass
class Journal:
    """A store in memory: what each commit of one tree brought and, where ``keep`` is set, the tree as it was then."""

    keep: bool
    commits: list[tuple[list[int], list[int]]] = field(default_factory=list)
    states: list[dict[str, Any]] = field(default_factory=list)

    async def save(self, tree: Tree, new: Sequence[Node], touched: Sequence[Node]) -> None:
        self.commits.append(([node.index for node in new], [node.index for node in touched]))
        if self.keep:
            self.states.append(copy.deepcopy(tree_as_json(tree)))


@dataclass
class Grown:
    tree: Tree
    context: TreeContext
    journal: Journal

    @property
    def json(self) -> dict[str, Any]:
        return tree_as_json(self.tree)


class Grower:
    """Grows trees the way the search stage does."""

    def many(
        self,
        searcher: AnySearcher,
        policy: AnyPolicy | None = None,
        *,
        world: type[AnyEnvironment] = CounterEnvironment,
        trees: int = 1,
        concurrency: int = 1,
        first: int = 0,
        **options: Any,
    ) -> list[Grown]:
        return asyncio.run(self._many(searcher, policy or ScriptedPolicy(), world, trees, concurrency, first, options))

    def one(self, searcher: AnySearcher, policy: AnyPolicy | None = None, **options: Any) -> Grown:
        return self.many(searcher, policy, **options)[0]

    async def _many(
        self,
        searcher: AnySearcher,
        policy: AnyPolicy,
        world: type[AnyEnvironment],
        trees: int,
        concurrency: int,
        first: int,
        options: dict[str, Any],
    ) -> list[Grown]:
        pool = EnvironmentPool(world, limit=min(concurrency, 4))
        tasks = pool.reference.tasks("train")

        async def grow(number: int) -> Grown:
            journal = Journal(keep=trees == 1)
            values = {"seed": 7 + number, "session": str(number), **options}
            task = tasks[(first + number) % len(tasks)]
            context = await TreeContext.open(task, pool=pool, policy=policy, save=journal.save, **values)
            tree = await searcher.search(task, context)
            context.close()
            return Grown(tree, context, journal)

        try:
            finished = [outcome async for outcome in run_bounded(range(trees), grow, concurrency)]
        finally:
            pool.close()
        for outcome in finished:
            if outcome.error is not None:
                raise outcome.error
        return [outcome.result for outcome in sorted(finished, key=lambda outcome: outcome.item) if outcome.result]


@pytest.fixture
def grow() -> Grower:
    return Grower()
