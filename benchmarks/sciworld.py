"""ScienceWorld: steps a second against the official wrapper, the cost of branching, memory, and all thirty plans.

    python benchmarks/sciworld.py                 # every table; some minutes
    python benchmarks/sciworld.py --only steps

``steps`` (fastest rounds): the same actions in the same process options, with the official ``ScienceWorldEnv.step``
and with our environment, whose time inside the gateway's calls (step, score, completed, moves) is taken as well.
``branch`` and ``trees``: see sciworld_branching.py. ``memory``: four processes that each played in all thirty kinds,
with a snapshot of each step. ``gold``: the simulator's plan for one variation of each kind, played twice.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

from agentr_sciworld.tasks import kinds, task_for
from sciworld_branching import environment, expansion, trees_in_flight

KINDS = ("boil", "use-thermometer", "power-component", "find-animal", "chemistry-mix-paint-secondary-color",
         "lifespan-longest-lived", "identify-life-stages-1", "test-conductivity")  # fmt: skip


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


def memory() -> None:
    environments = [environment(workers=4, memory_mb=256, timeout=121) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        for kind in kinds():
            list(threads.map(lambda env, kind=kind: tour(env, kind.name), environments))
    workers = environments[0]._fleet.workers
    sizes = [resident(worker.jvm.pid) for worker in workers]
    held = ", ".join(str(len(worker.snapshots or ())) for worker in workers)
    print(f"memory of {len(sizes)} processes after all 30 kinds: {', '.join(f'{size:.0f} MB' for size in sizes)}")
    print(f"snapshots in them: {held}\n")
    for env in environments:
        env.close()


def tour(env: Any, kind: str) -> None:
    env.reset(env.task_for(kind, 0))
    for action in ("open door to hallway", "wait1", "look around", "inventory", "wait", "look around", "task", "wait1"):
        env.snapshot()
        env.step(action)


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
    parser.add_argument("--only", choices=["steps", "branch", "trees", "memory", "gold"])
    options = parser.parse_args()
    tables = {
        "steps": lambda: steps(options.repeat),
        "branch": lambda: expansion(options.repeat, official),
        "trees": lambda: trees_in_flight(options.repeat, Path(folder)),
        "memory": memory,
        "gold": gold,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, table in tables.items():
            if options.only in (None, name):
                table()


if __name__ == "__main__":
    main()
