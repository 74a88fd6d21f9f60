"""What workers bring, and where the one writer ends: nodes per second by the executor ``processes``, and CPU a node.

    python benchmarks/workers.py [--workers 0 1 2 4] [--trees 16]

The paper's search on TextCraft with a policy that answers at once, so that nothing but Python is waited for; 0 workers
are the run's own process. CPU seconds are told apart, of the run (planning, one writer) and of its workers: the share
of the writer in a node says how many nodes a second one run can take, however many workers there are
and wherever they are.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import time
from dataclasses import dataclass

import agentr_core
from agentr_core import Completion, PluginConfig, SampleRequest
from agentr_core.interfaces.executor import AnyExecutor
from agentr_core.run_context import RunContext
from agentr_core.runs.elsewhere import crew_of, setting_of
from agentr_core.runs.scratch import scratch_run
from agentr_core.search.stage import grow_trees
from agentr_core.testing.fakes import InstantPolicy

#: Tokens of an answer, stored with ids and logprobs.
TOKENS = 40
ACTIONS = ("get 1 oak log", "craft 4 oak planks using 1 oak log", "inventory", "get 2 iron ingot", "get 1 moonlight")


class Instant(InstantPolicy):
    """The policy as workers make it."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__(ACTIONS, tokens=TOKENS)

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """Answers at once."""
        return await super().sample(request)


@dataclass(frozen=True, slots=True)
class Measured:
    """One line: seconds of wall clock, and of CPU here and in the workers."""

    workers: int
    nodes: int
    seconds: float
    own: float
    others: float

    def __str__(self) -> str:
        own, others = (1e6 * cpu / self.nodes for cpu in (self.own, self.others))
        limit = self.nodes / self.own
        rate = self.nodes / self.seconds
        return f"| {self.workers:7} | {self.nodes:6} | {rate:7,.0f} | {own:9.0f} | {others:12.0f} | {limit:12,.0f} |"


HEADER = (
    "| workers |  nodes | nodes/s | run µs/nd | worker µs/nd | run's limit |\n"
    "|--------:|-------:|--------:|----------:|-------------:|-------------:|"
)


async def search(context: RunContext, executor: AnyExecutor | None) -> tuple[float, float]:
    """Grow the trees; seconds of wall clock and of this process's CPU, from the first worker that is ready on."""
    policy = context.make_policy()
    if executor is not None:
        context.crew = crew_of(context, executor, setting_of(context, policy, None))
        await context.crew.open()
    began, cpu = time.perf_counter(), time.process_time()
    try:
        await grow_trees(context, policy, context.make_searcher(), 1)
        return time.perf_counter() - began, time.process_time() - cpu
    finally:
        if context.crew is not None:
            await context.crew.close()


def measure(workers: int, trees: int) -> Measured:
    config = agentr_core.configure(
        env={"name": "textcraft", "world": "synthetic"}, policy="workers:Instant", trainer="none", iterations=1,
        mcts=PAPER, search={"tasks": trees},
    )  # fmt: skip
    executor = agentr_core.create("executor", "processes", workers=workers) if workers else None
    with scratch_run(config) as context:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, own = asyncio.run(search(context, executor))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        nodes = sum(row.n_nodes for row in context.store.trees.select())
    others = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(workers, nodes, seconds, own, others)


PAPER = {"simulations": 8, "depth": 20, "samples": 4, "merge": "response"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--trees", type=int, default=16)
    options = parser.parse_args()
    print(HEADER)
    for workers in options.workers:
        print(measure(workers, options.trees), flush=True)


if __name__ == "__main__":
    main()
