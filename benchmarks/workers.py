"""What workers bring: nodes per second by the executor ``processes``, as ratios of one worker, and CPU a node.

    python benchmarks/workers.py [--workers 0 1 2 4] [--trees 16] [--endpoint]

The paper's search on TextCraft with a policy that answers at once, so that nothing but Python is waited for; with
``--endpoint`` the policy ``openai``, over a server that answers at once in a process of its own (endpoint.py).
0 workers are the run's own process. CPU seconds are told apart, of the run (planning, one writer) and of its workers:
the share of the writer in a node says how many nodes a second one run can take, however many workers there are
and wherever they are (benchmarks/fleet.py goes on from there). Beside it, what two processes of this machine can do
at once that have nothing to do with each other.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import resource
import time
from contextlib import nullcontext
from dataclasses import dataclass

from endpoint import ACTIONS, server

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
#: Seconds for which one process counts, and two of them.
COUNT_SECONDS = 3.0


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

    @property
    def rate(self) -> float:
        """Nodes a second."""
        return self.nodes / self.seconds

    def line(self, one: float | None) -> str:
        """A row of the table; ``one``: the rate of one worker."""
        own, others = (1e6 * cpu / self.nodes for cpu in (self.own, self.others))
        ratio = "-" if one is None else f"{self.rate / one:.2f}"
        return (
            f"| {self.workers:7} | {self.nodes:6} | {self.rate:7,.0f} | {ratio:>11} | {own:11.0f} | {others:14.0f} "
            f"| {self.nodes / self.own:11,.0f} |"
        )


HEADER = (
    "| workers |  nodes | nodes/s | of 1 worker | run µs/node | worker µs/node | run's limit |\n"
    "|--------:|-------:|--------:|------------:|------------:|---------------:|------------:|"
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
        await policy.close()


def configured(trees: int, url: str | None = None) -> agentr_core.RunConfig:
    """The search; where a server answers, by the policy ``openai``."""
    openai = {"base_url": [url], "model": "stub", "concurrency": 256}
    answers = {"policy": "workers:Instant"} if url is None else {"policy": "openai", "openai": openai}
    return agentr_core.configure(
        env={"name": "textcraft", "world": "synthetic"}, trainer="none", iterations=1, mcts=PAPER,
        search={"tasks": trees}, **answers,
    )  # fmt: skip


def measure(workers: int, config: agentr_core.RunConfig) -> Measured:
    executor = agentr_core.create("executor", "processes", workers=workers) if workers else None
    with scratch_run(config) as context:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds, own = asyncio.run(search(context, executor))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        nodes = sum(row.n_nodes for row in context.store.trees.select())
    others = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(workers, nodes, seconds, own, others)


PAPER = {"simulations": 8, "depth": 20, "samples": 4, "merge": "response"}


def count(seconds: float) -> int:
    """How far a process counts that has nothing else to do."""
    counted, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        counted += sum(range(1000))
    return counted


def two_at_once() -> float:
    """What two processes count at once, in what one counts alone."""
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        pool.map(count, [0.1, 0.1], chunksize=1)
        alone = pool.apply(count, (COUNT_SECONDS,))
        return sum(pool.map(count, [COUNT_SECONDS] * 2, chunksize=1)) / alone


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1, 2, 4])
    parser.add_argument("--trees", type=int, default=16)
    parser.add_argument("--endpoint", action="store_true", help="ask a server in a process of its own")
    options = parser.parse_args()
    os.environ.setdefault("OPENAI_API_KEY", "none")
    print(f"two processes at once do {two_at_once():.2f} times what one does alone", flush=True)
    print(HEADER, flush=True)
    with server() if options.endpoint else nullcontext() as url:
        config, one = configured(options.trees, url), None
        for workers in options.workers:
            measured = measure(workers, config)
            one = measured.rate if workers == 1 else one
            print(measured.line(one), flush=True)


if __name__ == "__main__":
    main()
