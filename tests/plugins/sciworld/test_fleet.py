"""Who is lent which process: the one with the shortest way to the state."""

from __future__ import annotations

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from agentr_sciworld.moments import Begin, Moment

ACTIONS = ("open door to hallway", "look around", "inventory", "wait1")


def two_processes(env: Any) -> list[Any]:
    """Have two at work at the same time, so that both are there."""
    both = threading.Barrier(2, timeout=120)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: env._fleet.use(lambda worker: both.wait()), range(2)))
    return env._fleet.workers


def test_episodes_that_take_turns_keep_a_process_each(apart: Any, means: dict[str, Any]) -> None:
    one, other = apart(workers=2, **means), apart(workers=2, **means)
    workers = two_processes(one)
    one.reset(one.task_for("boil", 0))
    other.reset(other.task_for("find-plant", 0))
    before = [(worker.loads, worker.steps) for worker in workers]
    for action in ACTIONS:
        for env in (one, other):
            env.step(action)
    after = [(worker.loads, worker.steps) for worker in workers]
    assert after == [(loads, steps + len(ACTIONS)) for loads, steps in before]


def test_a_state_is_come_back_to_where_it_is_held(apart: Any, jdk: str) -> None:
    """Two trees, each in a process of its own: no branch of one is grown in the other's."""
    one, other = apart(workers=2, snapshots="on"), apart(workers=2, snapshots="on")
    workers = two_processes(one)
    starts = []
    for env, kind in ((one, "boil"), (other, "find-plant")):
        env.reset(env.task_for(kind, 1))
        starts.append(env.snapshot())
    before = [(worker.loads, worker.steps) for worker in workers]
    for action in ACTIONS:
        for env, start in zip((one, other), starts, strict=True):
            env.restore(start)
            env.step(action)
    after = [(worker.loads, worker.steps) for worker in workers]
    assert after == [(loads, steps + len(ACTIONS)) for loads, steps in before]


def test_an_episode_that_was_begun_before_is_put_back(apart: Any, jdk: str) -> None:
    env = apart(workers=1, snapshots="on")
    seen = env.reset(env.task_for("boil", 2))
    env.snapshot()
    first = env.step("look around")
    [worker] = env._fleet.workers
    loads = worker.loads
    assert env.reset(env.task_for("boil", 2)) == seen and env.step("look around") == first
    assert worker.loads == loads


def test_who_is_interrupted_while_waiting_leaves_the_queue(apart: Any) -> None:
    env, held, enough = apart(workers=1), threading.Event(), threading.Event()
    fleet, main = env._fleet, threading.get_ident()
    before = signal.signal(signal.SIGUSR1, signal.default_int_handler)

    def interrupt() -> None:
        while not fleet._waiting:
            time.sleep(0.01)
        signal.pthread_kill(main, signal.SIGUSR1)

    with ThreadPoolExecutor(2) as threads:
        threads.submit(fleet.use, lambda worker: (held.set(), enough.wait(120)))
        assert held.wait(120)
        threads.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            env.reset(env.task_for("boil", 0))
        assert fleet._waiting == [] and len(fleet.workers) == 1
        enough.set()
    signal.signal(signal.SIGUSR1, before)
    assert "This room" in env.reset(env.task_for("boil", 0))


def test_moments_of_equal_inputs_are_one_state() -> None:
    begin = Begin("boil", 0)
    moment = Moment.opening(begin).after("0", "Ambiguous").after("", "")
    again = Moment.start(begin, "Your task").after("look around", "This room").after("0", "seen").after("", "seen")
    assert moment.key == again.key and moment.depth == again.depth == 3
    assert moment.inputs() == ["look around", "0", ""]
    others = [Moment.opening(Begin("boil", 0, "easy")), Moment.opening(begin).after("0", ""), Moment.opening(begin)]
    assert len({moment.key, *(other.key for other in others)}) == 4
