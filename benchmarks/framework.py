"""What the framework itself costs: nodes per second with a policy that answers at once.

The paper's search settings (8 simulations, depth 20, 4 samples, siblings merged by whole answer) on TextCraft, every
simulation committed to the store, 1 to 64 trees in flight. All answers differ and none ends an attempt, so a tree has
about 600 nodes.

    python benchmarks/framework.py
    python benchmarks/framework.py --no-store --trees 64 --in-flight 16
    python benchmarks/framework.py --profile
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from agentr_mcts.config import MCTSConfig
from agentr_mcts.search import MCTS

from agentr_core import AnyEnvironment, Task, create
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.in_flight import run_bounded
from agentr_core.process.garbage import seldom_collecting
from agentr_core.search.search_context import Save, TreeContext
from agentr_core.store import Store, TreePlan, TreeRow, open_store
from agentr_core.testing.fakes import CounterEnvironment, InstantPolicy

#: Tokens of an answer, stored with ids and logprobs.
TOKENS = 40
WORLDS: dict[str, tuple[Callable[[], AnyEnvironment], tuple[str, ...]]] = {
    "textcraft": (
        partial(create, "env", "textcraft"),
        ("get 1 oak log", "craft 4 oak planks using 1 oak log", "inventory", "get 2 iron ingot", "get 1 moonlight"),
    ),
    "counter": (CounterEnvironment, ("jump", "sing", "dance", "sleep")),
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table. CPU seconds are what counts where other programs share the machine."""

    in_flight: int
    trees: int
    nodes: int
    seconds: float
    cpu_seconds: float
    environment_seconds: float
    store_seconds: float
    bytes: int

    def __str__(self) -> str:
        rate, cpu_rate, size = self.nodes / self.seconds, self.nodes / self.cpu_seconds, self.bytes / self.trees / 1e6
        shares = [100 * part / self.seconds for part in (self.environment_seconds, self.store_seconds)]
        return (
            f"| {self.in_flight:9} | {self.trees:5} | {self.nodes / self.trees:10.0f} | {self.seconds:7.2f} "
            f"| {rate:7,.0f} | {cpu_rate:11,.0f} | {shares[0]:5.0f} % | {shares[1]:5.0f} % | {size:7.2f} |"
        )


HEADER = (
    "| in flight | trees | nodes/tree | seconds | nodes/s | nodes/CPU s | world   | store   | MB/tree |\n"
    "|----------:|------:|-----------:|--------:|--------:|------------:|--------:|--------:|--------:|"
)


async def grow(world: str, trees: int, in_flight: int, store: Store | None) -> Measured:
    """Grow ``trees`` trees, ``in_flight`` at once."""
    make, actions = WORLDS[world]
    pool, policy, searcher = (
        EnvironmentPool(make, limit=in_flight),
        InstantPolicy(actions, tokens=TOKENS),
        paper_search(),
    )
    split = pool.reference.tasks("train")
    tasks = [split[number % len(split)] for number in range(trees)]
    rows = plan(store, tasks) if store else [None] * trees

    async def one(number: int) -> TreeContext:
        context = await TreeContext.open(
            tasks[number], pool=pool, policy=policy, save=saver(store, rows[number]), seed=number, session=str(number)
        )
        await searcher.search(tasks[number], context)
        context.close()
        return context

    began, cpu = time.perf_counter(), time.process_time()
    nodes, environment, saving = 0, 0.0, 0.0
    async for finished in run_bounded(range(trees), one, in_flight):
        if finished.error or not finished.result:
            raise finished.error or RuntimeError("no result")
        nodes += len(finished.result.tree.nodes) - 1
        costs = finished.result.costs()
        environment, saving = environment + costs["environment_seconds"], saving + costs["store_seconds"]
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    pool.close()
    return Measured(in_flight, trees, nodes, seconds, cpu, environment, saving, 0)


def paper_search() -> MCTS:
    """The searcher under test."""
    return MCTS(MCTSConfig(**MCTSConfig.PRESETS["paper"]))


def plan(store: Store, tasks: Sequence[Task]) -> list[TreeRow]:
    """Rows for the trees to come."""
    run = store.runs.create("benchmark", {}, config_hash="", seed=0)
    named = [task.model_copy(update={"key": f"{task.key} {number}"}) for number, task in enumerate(tasks)]
    ids = store.tasks.save("benchmark", "1", named)  # a task has one tree: each tree is given a task of its own
    plans = [TreePlan(ids[task.key], number) for number, task in enumerate(named)]
    return store.trees.plan(run.id, 1, plans, searcher="mcts", searcher_hash="", model="instant")


def saver(store: Store | None, row: TreeRow | None) -> Save:
    """What the search stage does with a commit."""

    place = (0, 0)

    async def save(tree: Tree, new: Sequence[Node], touched: Sequence[Node]) -> None:
        nonlocal place
        if store is None or row is None:
            return
        event = store.trees.growth(row.id, place, tree, new, touched)
        place = event.after
        store.apply(event)

    return save


def measure(world: str, trees: int, in_flight: int, with_store: bool) -> Measured:
    """One run in a new database, whose size is that of the closed file."""
    if not with_store:
        return asyncio.run(grow(world, trees, in_flight, None))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "benchmark.db"
        with open_store(path) as store:
            empty = path.stat().st_size
            measured = asyncio.run(grow(world, trees, in_flight, store))
        return replace(measured, bytes=path.stat().st_size - empty)


def main() -> None:
    parser = argparse.ArgumentParser(description="nodes per second with a policy that answers at once")
    parser.add_argument("--world", choices=WORLDS, default="textcraft")
    parser.add_argument("--trees", type=int, default=64, help="trees in each measurement")
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 4, 16, 64], help="trees at once")
    parser.add_argument("--repeat", type=int, default=3, help="measurements of each line; the median is shown")
    parser.add_argument("--no-store", action="store_true", help="commit to nowhere")
    parser.add_argument("--profile", action="store_true", help="show where the time goes instead")
    options = parser.parse_args()
    with seldom_collecting():  # as a run does
        report(options)


def report(options: argparse.Namespace) -> None:
    measure(options.world, 2, 1, not options.no_store)  # imports and caches
    if options.profile:
        profiler = cProfile.Profile()
        profiler.runcall(measure, options.world, options.trees, options.in_flight[0], not options.no_store)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(30)
        return
    print(HEADER)
    for in_flight in options.in_flight:
        runs = [measure(options.world, options.trees, in_flight, not options.no_store) for _ in range(options.repeat)]
        print(sorted(runs, key=lambda run: run.seconds)[len(runs) // 2], flush=True)


if __name__ == "__main__":
    main()
