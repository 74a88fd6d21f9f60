"""ScienceWorld: what branching costs, with snapshots in the Java process and without.

``expansion``: new children of a node at depth 15, by pool, memory and snapshot, or else replay, against a reset and a
replay for each sample (first with our steps, then with the official wrapper, as Agent-R's code does).
``trees_in_flight``: a search of eight trees by a policy that answers at once, so the simulator is all that takes time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from agentr_sciworld.config import SciWorldConfig
from agentr_sciworld.env import SciWorld
from agentr_sciworld.tasks import task_for

from agentr_core import Task, create
from agentr_core.interfaces.tree import Tree
from agentr_core.play.branches import Branches
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.search.search_context import TreeContext

DEPTH = 15
KINDS = ("boil", "use-thermometer", "identify-life-stages-1", "test-conductivity")
WANTED = ("look around", "inventory", "wait1", "look around")
TREES = ("find-plant", "lifespan-longest-lived", "use-thermometer", "boil", "find-animal", "melt",
         "identify-life-stages-2", "chemistry-mix")  # fmt: skip
MEANS = ("on", "off")


def environment(**options: Any) -> SciWorld:
    return SciWorld(SciWorldConfig(**{"max_steps": 0, "move_cap": 0, "workers": 1, **options}))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def play(step: Callable[[str], object], actions: Sequence[str]) -> None:
    for action in actions:
        step(action)


def expansion(repeat: int, official: Callable[[str], Any]) -> None:
    """Seconds for one expansion: of four samples two do the same."""
    print("| kind | depth | snapshots | replay | reset and replay | official | snapshots to reset | to official |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    wrapper = official("-Xmx256m -XX:+UseSerialGC -XX:+UnlockExperimentalVMOptions -XX:hashCode=2")
    env = environment(snapshots="off")
    warm = [environment(workers=0, snapshots=means) for means in MEANS]  # these keep the pools' processes
    for kind in KINDS:
        task = task_for(kind, 1)
        path = list(env.demonstrate(task) or ())[:-1][:DEPTH]
        seconds: list[tuple[float, ...]] = []
        for _ in range(repeat + 2):  # the first two warm up
            pooled = [asyncio.run(expand(task, path, means)) for means in MEANS]
            ours = timed(lambda task=task, path=path: [
                (env.reset(task), play(env.step, [*path, action])) for action in WANTED
            ])  # fmt: skip
            theirs = timed(lambda kind=kind, path=path: [
                (wrapper.load(kind, 1, ""), wrapper.reset(), play(wrapper.step, [*path, action])) for action in WANTED
            ])  # fmt: skip
            seconds.append((*pooled, ours, theirs))
        one, two, three, four = map(min, zip(*seconds[2:], strict=True))
        cells = f"{one:.3f} s | {two:.2f} s | {three:.2f} s | {four:.2f} s | {three / one:.1f} | {four / one:.1f}"
        print(f"| {kind} | {len(path)} | {cells} |", flush=True)
    print()
    wrapper.close()
    for each in (env, *warm):
        each.close()


async def expand(task: Task, path: Sequence[str], means: str) -> float:
    """Stand at the end of ``path``, then expand it; the seconds of the second part."""
    pool = EnvironmentPool(lambda: environment(workers=0, snapshots=means), limit=os.cpu_count() or 1)
    branches = Branches(task, pool)
    await branches.start()
    tree = Tree(task, (), seed=0)
    node = tree.root
    for action in path:
        [outcome] = await branches.step(node, [action])
        node = tree.add(node, action=action, observation=outcome.result.observation)
    await asyncio.gather(*(branches.step(tree.root, [text]) for text in ("inventory", "task")))  # all workers are up
    await branches.step(node, ["task"])  # the nearest stands beyond the node, as after a sibling
    began = time.perf_counter()
    await branches.step(node, WANTED)
    seconds = time.perf_counter() - began
    pool.close()
    return seconds


def trees_in_flight(repeat: int, cache: Path) -> None:
    warm = [environment(workers=0, snapshots=means, cache=str(cache)) for means in MEANS]
    for env in warm:
        warm_up(env)
    print("| trees | means | nodes | nodes/s, median | nodes a CPU second of Java | loads | steps in Java |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for names in (TREES[:1], TREES):
        rows: dict[str, list[Grown]] = {means: [] for means in MEANS}
        for number in range(repeat + 1):  # other variations each time; the first warms up
            for means in MEANS:
                tasks = [task_for(name, number) for name in names]
                rows[means].append(asyncio.run(grow(tasks, means, cache)))
        speeds = {}
        for means, made in rows.items():
            last = made[-1]
            speeds[means] = median(each.nodes / each.seconds for each in made[1:])
            work = median(each.nodes / each.java for each in made[1:])
            rates = f"{speeds[means]:.1f} | {work:.1f}"
            print(f"| {len(names)} | snapshots {means} | {last.nodes} | {rates} | {last.loads} | {last.steps} |")
        print(f"\nsnapshots to replay: {speeds['on'] / speeds['off']:.1f}\n", flush=True)
    for each in warm:
        each.close()


def warm_up(env: SciWorld, rounds: int = 4) -> None:
    """Execute the same in all processes: Java is several times slower before it has compiled what is used."""
    plans = [(task, list(env.demonstrate(task) or ())[:-1]) for task in (task_for(name, 9) for name in TREES)]

    def work(number: int) -> None:
        other = SciWorld(env.config)
        for task, actions in plans[::-1] * rounds if number % 2 else plans * rounds:
            other.reset(task)
            play(other.step, actions[:30])
        other.close()

    with ThreadPoolExecutor(env._fleet.size) as threads:
        list(threads.map(work, range(env._fleet.size)))


class Grown(NamedTuple):
    """Trees: ``java`` are CPU seconds; what was loaded and executed there."""

    nodes: int
    seconds: float
    java: float
    loads: int
    steps: int


async def grow(tasks: Sequence[Task], means: str, cache: Path) -> Grown:
    """Grow a tree of each task."""

    async def no_store(*_: Any) -> None:
        return None

    def new() -> SciWorld:
        return SciWorld(SciWorldConfig(workers=0, snapshots=means, cache=str(cache)))

    pool, policy = EnvironmentPool(new, limit=os.cpu_count() or 1), create("policy", "flawed", rate=0.4)
    policy.bind(new)
    searcher, env = create("searcher", "mcts", simulations=2, depth=10), pool.reference
    for task in tasks:
        env.demonstrate(task)
    contexts = [
        await TreeContext.open(task, pool=pool, policy=policy, save=no_store, seed=1, session=task.key)
        for task in tasks
    ]
    before = counts(env)
    began = time.perf_counter()
    trees = await asyncio.gather(*map(searcher.search, tasks, contexts))
    seconds = time.perf_counter() - began
    work = [after - old for after, old in zip(counts(env), before, strict=True)]
    for context in contexts:
        context.close()
    pool.close()
    return Grown(sum(len(tree.nodes) for tree in trees), seconds, *work)


def counts(env: Any) -> tuple[float, int, int]:
    """CPU seconds, loads and steps of the Java processes so far."""
    workers = env._fleet.workers
    ticks = sum(sum(map(int, Path(f"/proc/{each.jvm.pid}/stat").read_text().split()[13:15])) for each in workers)
    loads, steps = sum(each.loads for each in workers), sum(each.steps for each in workers)
    return ticks / os.sysconf("SC_CLK_TCK"), loads, steps
