"""ScienceWorld: steps a second against the official wrapper, the cost of branching, memory, and all thirty plans.

    python benchmarks/sciworld.py                 # every table; some minutes
    python benchmarks/sciworld.py --only steps

``steps`` (fastest rounds): the same actions in the same process options, with the official ``ScienceWorldEnv.step``
and with our environment, whose time inside the gateway's calls (step, score, completed, moves) is taken as well.
``branch``: new children of a node at depth 15, by pool, memory and replay, against a reset and a replay for each
sample (first with our steps, then with the official wrapper, as Agent-R's code does). ``memory``: four processes that
each played in all thirty kinds. ``gold``: the simulator's plan for one variation of each kind, played twice.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from agentr_sciworld.config import SciWorldConfig
from agentr_sciworld.env import SciWorld
from agentr_sciworld.tasks import kinds, task_for

from agentr_core import Task
from agentr_core.branching import Branches
from agentr_core.pool import EnvironmentPool
from agentr_core.tree import Tree

KINDS = ("boil", "use-thermometer", "power-component", "find-animal", "chemistry-mix-paint-secondary-color",
         "lifespan-longest-lived", "identify-life-stages-1", "test-conductivity")  # fmt: skip
DEPTH = 15


def environment(**options: Any) -> SciWorld:
    return SciWorld(SciWorldConfig(**{"max_steps": 0, "move_cap": 0, "workers": 1, **options}))


def official(options: str) -> Any:
    """The official wrapper, with our options for Java: it takes them from the environment only."""
    os.environ["JAVA_TOOL_OPTIONS"] = options
    from scienceworld import ScienceWorldEnv

    made = ScienceWorldEnv("", envStepLimit=10_000)
    del os.environ["JAVA_TOOL_OPTIONS"]
    return made


def timed(step: Callable[[str], object], actions: Sequence[str]) -> float:
    began = time.perf_counter()
    for action in actions:
        step(action)
    return time.perf_counter() - began


class Inside:
    """Takes the time that a worker spends in the gateway's calls."""

    def __init__(self, worker: Any) -> None:
        self.worker, self.call, self.seconds = worker, worker._step, 0.0

    def __enter__(self) -> Inside:
        self.worker._step = self.step
        return self

    def step(self, text: str) -> Any:
        began = time.perf_counter()
        seen = self.call(text)
        self.seconds += time.perf_counter() - began
        return seen

    def __exit__(self, *_: object) -> None:
        self.worker._step = self.call


def steps(repeat: int) -> None:
    env = environment()
    wrapper = official("-Xmx256m -XX:+UseSerialGC -XX:+UnlockExperimentalVMOptions -XX:hashCode=2")
    print("| kind | steps | official steps/s | gateway steps/s | ours steps/s | ours/official | our layer |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    ratios, layers = [], []
    for kind in KINDS:
        task = task_for(kind, 1)
        actions = list(env.demonstrate(task) or ())[:-1]
        ours, bare, theirs = [], [], []
        for number in range(repeat + 1):  # the first round warms up
            env.reset(task)
            with Inside(env._fleet.workers[0]) as inside:
                ours.append(timed(env.step, actions))
            bare.append(inside.seconds)
            wrapper.load(kind, 1, "")
            wrapper.reset()
            theirs.append(timed(wrapper.step, actions))
            if number == 0:
                ours, bare, theirs = [], [], []
        one, two, three = (len(actions) / min(seconds) for seconds in (theirs, bare, ours))
        ratios.append(three / one)
        layers.append(two / three - 1)
        cells = f"{one:,.1f} | {two:,.1f} | {three:,.1f} | {three / one:.1f} | {layers[-1]:+.1%}"
        print(f"| {kind} | {len(actions)} | {cells} |", flush=True)
    print(f"\nmedian: {median(ratios):.1f} times the official wrapper; above the gateway {median(layers):+.1%}\n")
    wrapper.close()
    env.close()


def branch(repeat: int) -> None:
    """Seconds for one expansion: of four samples two do the same."""
    print("| kind | depth | pool | reset and replay | official | to reset | to official |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    wrapper = official("-Xmx256m -XX:+UseSerialGC -XX:+UnlockExperimentalVMOptions -XX:hashCode=2")
    env, warm = environment(), environment(workers=0)  # the second keeps the pool's processes
    for kind in ("boil", "use-thermometer", "identify-life-stages-1", "test-conductivity"):
        task = task_for(kind, 1)
        path = list(env.demonstrate(task) or ())[:-1][:DEPTH]
        wanted = ["look around", "inventory", "wait1", "look around"]
        pooled = [asyncio.run(expand(task, path, wanted)) for _ in range(repeat + 2)][2:]  # the first warm up
        plain, theirs = [], []
        for _ in range(repeat):
            began = time.perf_counter()
            for action in wanted:
                env.reset(task)
                timed(env.step, [*path, action])
            plain.append(time.perf_counter() - began)
            began = time.perf_counter()
            for action in wanted:
                wrapper.load(kind, 1, "")
                wrapper.reset()
                timed(wrapper.step, [*path, action])
            theirs.append(time.perf_counter() - began)
        one, two, three = min(pooled), min(plain), min(theirs)
        cells = f"{one:.2f} s | {two:.2f} s | {three:.2f} s | {two / one:.1f} | {three / one:.1f}"
        print(f"| {kind} | {len(path)} | {cells} |", flush=True)
    print()
    wrapper.close()
    env.close()
    warm.close()


async def expand(task: Task, path: Sequence[str], wanted: Sequence[str]) -> float:
    """Stand at the end of ``path``, then do ``wanted`` there; the seconds of the second part."""
    pool = EnvironmentPool(lambda: environment(workers=0), limit=os.cpu_count() or 1)
    branches = Branches(task, pool)
    results = await branches.execute(path)
    tree = Tree(task, (), seed=0)
    node = tree.root
    for action, result in zip(path, results, strict=True):
        node = tree.add(node, action=action, observation=result.observation)
    await asyncio.gather(*(branches.step(tree.root, [text]) for text in ("inventory", "task")))  # all workers are up
    await branches.execute([*path, "task"])  # the nearest stands beyond the node, as after a sibling
    began = time.perf_counter()
    await branches.step(node, wanted)
    seconds = time.perf_counter() - began
    pool.close()
    return seconds


def memory() -> None:
    environments = [environment(workers=4, memory_mb=256, timeout=121) for _ in range(4)]
    for kind in kinds():
        for env in environments:
            env.reset(env.task_for(kind.name, 0))
            timed(env.step, ["open door to hallway", "wait1", "look around", "inventory", "wait"])
    sizes = [resident(worker.jvm.pid) for worker in environments[0]._fleet.workers]
    print(f"memory of {len(sizes)} processes after all 30 kinds: {', '.join(f'{size:.0f} MB' for size in sizes)}\n")
    for env in environments:
        env.close()


def resident(pid: int) -> float:
    line = Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]
    return int(line) / 1024


def gold() -> None:
    env, solved = environment(), 0
    for kind in kinds():
        task = env.task_for(kind.name, kind.variations // 2)
        actions = env.demonstrate(task)
        if actions is None:
            print(f"{kind.name}: the simulator's own plan does not reach 100")
            continue
        first, second = ([env.reset(task), *map(env.step, actions)] for _ in range(2))
        solved += first == second and first[-1].score == 100
    print(f"{solved} of 30 kinds: the plan reaches 100 twice, with equal bytes\n")
    env.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="ScienceWorld: speed, branching, memory, plans")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", choices=["steps", "branch", "memory", "gold"])
    options = parser.parse_args()
    for name, table in {
        "steps": lambda: steps(options.repeat),
        "branch": lambda: branch(options.repeat),
        "memory": memory,
        "gold": gold,
    }.items():
        if options.only in (None, name):
            table()


if __name__ == "__main__":
    main()
