"""Where the one writer ends: many workers in virtual time, with costs that are measured first.

    python benchmarks/fleet.py [--workers 1 2 4 8 16 32 64 128 256] [--trees 8]

Measured, in CPU of one core: what a node costs a worker (search, environment, packing; with a policy that answers at
once), and what the run pays for what comes back, a transaction and a node in it (unpacking, SQLite), by storing the
very events of that search once more, one in each transaction and then many.

The model. Every worker makes events of those sizes, in an order of its own; each takes it its nodes times what a node
takes. An event waits in the worker's line, which holds LINE of them; a worker whose line is full stops. Lines lead into
one queue of the length that ``workers/crew.py`` has, first come first served. The writer takes all that is there, a
GROUP at the most, and is busy for COMMIT + nodes * NODE seconds. Left out: how trees are handed out (some hundred
microseconds each few hundred nodes), the network, and a disk that is slower than the CPU which feeds it.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from framework import plan
from workers import configured

from agentr_core.process.garbage import seldom_collecting
from agentr_core.records import Task
from agentr_core.runs.scratch import scratch_run
from agentr_core.runs.worker import OUTBOX
from agentr_core.search.stage import grow_trees
from agentr_core.store import open_store
from agentr_core.store.events import Event, TreeGrown
from agentr_core.workers.crew import GROUP, QUEUE
from agentr_core.workers.messages import Did, pack, unpack

#: Events that a worker's line holds: its outbox, and about as many on the way.
LINE = 2 * OUTBOX
#: Events that each worker could make in the time of a fleet; what is before the first tenth is over does not count.
EVENTS = 400
#: Nodes a second of a worker that waits for its own large GPU (8 B parameters, 4 samples of a turn).
GPU_RATE = 52.0
#: In place of a worker's number.
WRITER = -1


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of CPU: of a worker for a node, of the writer for a node and for a transaction; and events' nodes."""

    worker: float
    node: float
    commit: float
    sizes: tuple[int, ...]


def measure(trees: int) -> Costs:
    """Grow some trees, then store what they brought once more."""
    made, storing = list[Event](), 0.0
    with scratch_run(configured(trees)) as context:
        apply = context.store.apply

        def noted(*events: Event) -> None:
            nonlocal storing
            began = time.process_time()
            apply(*events)
            storing += time.process_time() - began
            made.extend(events)

        context.store.apply = noted  # type: ignore[method-assign]
        cpu = time.process_time()
        asyncio.run(grow_trees(context, context.make_policy(), context.make_searcher(), 1))
        sent = [pack(Did(0, event)) for event in made]
        growing = time.process_time() - cpu - storing
    sizes = tuple(len(event.nodes) for event in made if isinstance(event, TreeGrown))
    single, grouped = (min(stored(sent, trees, group) for _ in range(3)) for group in (1, GROUP))
    commit = max(0.0, single - grouped) / (len(sent) - len(sent) / GROUP)
    return Costs(growing / sum(sizes), (grouped - commit * len(sent) / GROUP) / sum(sizes), commit, sizes)


def stored(sent: Sequence[bytes], trees: int, group: int) -> float:
    """Seconds of CPU to unpack messages and store their events in a new database, ``group`` in each transaction."""
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "fleet.db") as store:
        plan(store, [Task(key=str(number), split="train", instruction="Craft.") for number in range(trees)])
        began = time.process_time()
        for start in range(0, len(sent), group):
            store.apply(*(unpack(data).event for data in sent[start : start + group]))
        return time.process_time() - began


class Fleet:
    """Workers and a writer in virtual time; ``node``: seconds that a worker takes for one."""

    def __init__(self, workers: int, costs: Costs, node: float) -> None:
        self.workers, self.costs, self.node = workers, costs, node
        #: When it is over, and since when things count.
        self.end_time = EVENTS * node * sum(costs.sizes) / len(costs.sizes)
        self.counted_from = self.end_time / 10
        #: Nodes stored, seconds that the writer was busy, and that workers stood still.
        self.nodes, self.busy, self.stopped = 0, 0.0, 0.0
        #: What lies in the queue, and the nodes of each worker's next event and of those in its line.
        self.inbox, self.making = deque[int](), [0] * workers
        self.lines = [deque[int]() for _ in range(workers)]
        #: Whose events wait for room in the queue, in their order; who stands still, and since when.
        self.waiting, self.full = deque[int](), dict[int, float]()
        self.clock = list[tuple[float, int]]()
        self.random = [random.Random(number) for number in range(workers)]
        for worker in range(workers):  # they do not begin at the same moment
            self.begin(worker, self.random[worker].random() * node * max(costs.sizes))

    def begin(self, worker: int, now: float) -> None:
        """A worker goes about its next event."""
        self.making[worker] = self.random[worker].choice(self.costs.sizes)
        heapq.heappush(self.clock, (now + self.making[worker] * self.node, worker))

    def run(self) -> None:
        """Until its time is over."""
        writing = False
        while self.clock[0][0] < self.end_time:
            now, who = heapq.heappop(self.clock)
            if who == WRITER:
                writing = False
            else:
                self.end(who, now)
            if self.inbox and not writing:
                writing = True
                heapq.heappush(self.clock, (self.write(now), WRITER))

    def end(self, worker: int, now: float) -> None:
        """An event is made: it goes into the queue or the worker's line, or the worker stops with it in its hand."""
        if len(self.inbox) < QUEUE and not self.lines[worker]:
            self.inbox.append(self.making[worker])
        elif len(self.lines[worker]) < LINE:
            self.lines[worker].append(self.making[worker])
            self.waiting.append(worker)
        else:
            self.full[worker] = now
            return
        self.begin(worker, now)

    def write(self, now: float) -> float:
        """The writer takes what is there, and lines move up; when it is free again."""
        taken = [self.inbox.popleft() for _ in range(min(GROUP, len(self.inbox)))]
        cost = self.costs.commit + self.costs.node * sum(taken)
        if now > self.counted_from:
            self.nodes += sum(taken)
            self.busy += cost
        while self.waiting and len(self.inbox) < QUEUE:
            worker = self.waiting.popleft()
            self.inbox.append(self.lines[worker].popleft())
            if worker in self.full:
                self.stopped += max(0.0, now - max(self.full.pop(worker), self.counted_from))
                self.lines[worker].append(self.making[worker])
                self.waiting.append(worker)
                self.begin(worker, now)
        return now + cost

    def line(self, one: float) -> str:
        """A row of the table; ``one``: the rate of one worker."""
        rate, in_all = self.rate, self.end_time - self.counted_from
        stopped = self.stopped + sum(self.end_time - max(since, self.counted_from) for since in self.full.values())
        return (
            f"| {self.workers:7} | {rate:9,.0f} | {rate / one:11.2f} | {rate / one / self.workers:10.0%} "
            f"| {self.busy / in_all:11.0%} | {stopped / in_all / self.workers:15.0%} |"
        )

    @property
    def rate(self) -> float:
        """Nodes a second that are stored."""
        return self.nodes / (self.end_time - self.counted_from)


HEADER = (
    "| workers |   nodes/s | of 1 worker | efficiency | writer busy | workers stopped |\n"
    "|--------:|----------:|------------:|-----------:|------------:|----------------:|"
)


def table(costs: Costs, node: float, fleets: Sequence[int]) -> None:
    """Print what fleets of each size do."""
    (one := Fleet(1, costs, node)).run()
    print(HEADER)
    for workers in fleets:
        (fleet := Fleet(workers, costs, node)).run()
        print(fleet.line(one.rate), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64, 128, 256])
    parser.add_argument("--trees", type=int, default=8, help="trees by which the costs are measured")
    options = parser.parse_args()
    with seldom_collecting():  # as a run does
        measure(1)  # imports and caches
        costs = measure(options.trees)
    print(
        f"{len(costs.sizes)} events of {sum(costs.sizes) / len(costs.sizes):.0f} nodes on average; a worker's node "
        f"{1e6 * costs.worker:.0f} µs; the writer's {1e6 * costs.node:.1f} µs, and {1e6 * costs.commit:.0f} µs each "
        f"transaction: {1 / costs.node:,.0f} nodes/s at the most"
    )
    for told, node in (
        ("that answers at once", costs.worker),
        (f"that makes {GPU_RATE:g} nodes a second", 1 / GPU_RATE),
    ):
        ends = node / costs.node
        print(f"\nworkers with a policy {told}: the writer is full at {ends:,.0f} of them\n")
        table(costs, node, options.workers)


if __name__ == "__main__":
    main()
