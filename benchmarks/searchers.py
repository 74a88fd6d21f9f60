"""What each option of the searchers brings and costs, on TextCraft with the flawed expert (no model needed).

For each setting, as means over the trees: the batches of policy requests that a tree waits for one after another (its
latency), requests, environment steps and nodes, finished attempts, the share of tasks solved, and the share of trees
with a solved and an unsolved attempt, which is what revision needs.

    python benchmarks/searchers.py --rate 0.7 --trees 100
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Any

from agentr_core import AnyEnvironment, AnyPolicy, Completion, PluginConfig, Policy, SampleRequest, Task, create
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.search.search_context import TreeContext

SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "mcts, paper": ("mcts", {"merge": "response"}),
    "mcts": ("mcts", {}),
    "mcts, 2 leaves in flight": ("mcts", {"leaves_in_flight": 2}),
    "mcts, 4 leaves in flight": ("mcts", {"leaves_in_flight": 4}),
    "mcts, 8 leaves in flight": ("mcts", {"leaves_in_flight": 8}),
    "best of 8": ("best_of_n", {"attempts": 8, "merge": "action"}),
    "best of 32": ("best_of_n", {"attempts": 32, "attempts_in_flight": 32, "merge": "action"}),
    "greedy": ("greedy", {}),
}
COLUMNS = ("batches", "requests", "env steps", "nodes", "attempts", "solved", "pairs")


class Batches(Policy[PluginConfig]):
    """Counts batches: what is asked in one turn of the event loop is one.

    Each answer gets wording of its own, as a model at temperature 1 gives equal actions different thoughts.
    """

    def __init__(self, policy: AnyPolicy) -> None:
        super().__init__(PluginConfig())
        self._policy, self.count = policy, 0
        self._batch: asyncio.Future[None] | None = None

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """See :class:`Batches`."""
        if self._batch is None:
            loop = asyncio.get_running_loop()
            self._batch, self.count = loop.create_future(), self.count + 1
            loop.call_soon(self._answer)
        await self._batch
        answers = await self._policy.sample(request)
        return [
            Completion(text=answer.text.replace("I think", f"I think ({request.seed:x}, {number})"))
            for number, answer in enumerate(answers)
        ]

    def _answer(self) -> None:
        if self._batch is not None:
            self._batch.set_result(None)
        self._batch = None


async def no_store(tree: Tree, new: Sequence[Node], touched: Sequence[Node]) -> None:
    """Commits go nowhere."""


async def grow(task: Task, seed: int, searcher: AnySearcher, pool: EnvironmentPool, policy: AnyPolicy) -> list[float]:
    """One tree; the values of :data:`COLUMNS`."""
    batches = Batches(policy)
    context = await TreeContext.open(task, pool=pool, policy=batches, save=no_store, seed=seed, session=str(seed))
    tree = await searcher.search(task, context)
    context.close()
    leaves = tree.leaves()
    return [
        batches.count,
        context.stats.requests,
        context.branches.stats.steps,
        len(tree.nodes) - 1,
        sum(leaf.visits for leaf in leaves),
        tree.best_reward >= 1.0,
        len({leaf.reward >= 1.0 for leaf in leaves}) == 2,
    ]


async def measure(name: str, rate: float, trees: int) -> list[float]:
    """Means over ``trees`` trees, each of another training task."""
    make: partial[AnyEnvironment] = partial(create, "env", "textcraft")
    policy: AnyPolicy = create("policy", "flawed", rate=rate)
    policy.bind(make)
    kind, options = SETTINGS[name]
    searcher, pool = create("searcher", kind, **options), EnvironmentPool(make)
    tasks = pool.reference.tasks("train")
    every = max(1, len(tasks) // trees)
    rows = [await grow(task, number, searcher, pool, policy) for number, task in enumerate(tasks[::every][:trees])]
    pool.close()
    return [fmean(column) for column in zip(*rows, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description="what each option of the searchers brings and costs")
    parser.add_argument("--rate", type=float, default=0.7, help="share of the flawed expert's actions that are wrong")
    parser.add_argument("--trees", type=int, default=100)
    options = parser.parse_args()
    print(f"| {'setting':24} | " + " | ".join(f"{name:>9}" for name in COLUMNS) + " |")
    print("|" + "-" * 26 + "|" + "----------:|" * len(COLUMNS))
    for name in SETTINGS:
        *counts, solved, pairs = asyncio.run(measure(name, options.rate, options.trees))
        cells = [*(f"{count:9,.1f}" for count in counts), f"{solved:9.0%}", f"{pairs:9.0%}"]
        print(f"| {name:24} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
