"""Batched search against the sequential way of the official code, with a real model, in one run.

    python benchmarks/batching.py --model tiny --tasks 64

batched      all trees in flight, n samples in one request, prefixes cached, environments branched by snapshot
sequential   one tree at a time, one sample a call, nothing cached, every state reached by reset and replay

Both do the same MCTS over TextCraft training tasks. The sequential way is timed on fewer trees: it is the rate that
is compared.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "0")

from agentr_core import AnyPolicy, Completion, SampleRequest, Task, create, derive_seed
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.tree import Tree
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.in_flight import run_bounded
from agentr_core.search.search_context import TreeContext


@dataclass(frozen=True, slots=True)
class Measured:
    """What one way came to."""

    trees: int
    nodes: int
    seconds: float

    @property
    def rate(self) -> float:
        """Nodes in a second."""
        return self.nodes / self.seconds


class OneByOne:
    """A policy asked for one sample at a time, one call after another."""

    def __init__(self, policy: AnyPolicy) -> None:
        self._policy = policy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._policy, name)

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """``request.n`` calls for one sample."""
        answers = []
        for number in range(request.n):
            one = derive_seed(request.seed, "one", number)
            answers += await self._policy.sample(replace(request, n=1, seed=one))
        return answers


def replaying() -> AnyEnvironment:
    """TextCraft without snapshots: a state is reached by reset and replay."""
    environment: AnyEnvironment = create("env", "textcraft")
    type(environment).supports_snapshot = False
    return environment


async def measure(policy: Any, tasks: Sequence[Task], make: Any, concurrency: int, simulations: int) -> Measured:
    """Search ``tasks`` and count nodes."""
    pool = EnvironmentPool(make, limit=1)
    searcher = create("searcher", "mcts", simulations=simulations, max_tokens=48)

    async def save(tree: Tree, new: Sequence[Any], touched: Sequence[Any]) -> None:
        """Nothing is stored: the model is what is measured."""

    async def grow(task: Task) -> int:
        context = await TreeContext.open(
            task, pool=pool, policy=policy, save=save, seed=derive_seed(0, task.key), session=task.key
        )
        tree = await searcher.search(task, context)
        context.close()
        return len(tree.nodes)

    started, nodes = time.perf_counter(), 0
    async for finished in run_bounded(tasks, grow, concurrency):
        if finished.error is not None:
            raise finished.error
        nodes += finished.result or 0
    measured = Measured(len(tasks), nodes, time.perf_counter() - started)
    pool.close()
    return measured


async def compare(model: str, tasks: int, sequential: int, simulations: int) -> None:
    """Measure both ways and print the table."""
    environment = create("env", "textcraft")
    chosen = list(environment.tasks("train"))[:: max(1, 382 // tasks)][:tasks]
    batched = create("policy", "transformers", model=model)
    fast = await measure(batched, chosen, lambda: create("env", "textcraft"), tasks, simulations)
    await batched.close()
    plain = create("policy", "transformers", model=model, prefix_cache_mb=0)
    few = chosen[:: max(1, tasks // sequential)][:sequential]
    slow = await measure(OneByOne(plain), few, replaying, 1, simulations)
    await plain.close()
    print(f"{'way':<12}{'trees':>7}{'nodes':>9}{'seconds':>10}{'nodes/s':>10}")
    for name, row in (("batched", fast), ("sequential", slow)):
        print(f"{name:<12}{row.trees:>7}{row.nodes:>9,}{row.seconds:>10.1f}{row.rate:>10.1f}")
    print(f"ratio {fast.rate / slow.rate:.1f}")


def main() -> None:
    """Read the flags and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny")
    parser.add_argument("--tasks", type=int, default=64, help="trees of the batched way, all in flight")
    parser.add_argument("--sequential", type=int, default=4, help="trees of the sequential way")
    parser.add_argument("--simulations", type=int, default=4)
    flags = parser.parse_args()
    asyncio.run(compare(flags.model, flags.tasks, flags.sequential, flags.simulations))


if __name__ == "__main__":
    main()
