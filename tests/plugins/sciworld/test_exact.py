"""Replay is exact: in one process, in another after other tasks, and where environments fight for processes.

So are snapshots: taken at each step of a transcript, and put back in any order.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

COUNT = 39
Transcript = dict[str, Any]


def play(env: Any, transcript: Transcript) -> int:
    """Play a transcript up to the end of the episode and compare every byte; returns the number of steps."""
    steps = transcript["steps"]
    first = env.reset(env.task_for(transcript["task"], transcript["variation"]))
    assert first == f"{transcript['description']}\n{transcript['first_observation']}"
    for count, (action, observation, score, completed) in enumerate(steps, 1):
        result = env.step(action)
        assert (result.observation, result.score, result.terminated) == (observation, score, completed or score < 0)
        assert result.reward == max(score, 0) / 100
        if result.terminated:
            return count
    return len(steps)


@pytest.mark.parametrize("number", range(COUNT))
def test_a_transcript_is_replayed_to_the_byte(make: Any, transcripts: list[Transcript], number: int) -> None:
    if number >= len(transcripts):
        pytest.skip("there are fewer transcripts")
    assert play(make(snapshots="off"), transcripts[number]) > 0


def each_state(env: Any, transcript: Transcript) -> list[Any]:
    """Play a transcript, compare every byte, and take a snapshot before each step."""
    states, step = [], env.step
    env.step = lambda action: (states.append(env.snapshot()), step(action))[1]
    play(env, transcript)
    del env.step
    return states


@pytest.mark.parametrize("number", range(COUNT))
def test_a_transcript_goes_on_from_a_snapshot_of_each_step(
    make: Any, jdk: str, transcripts: list[Transcript], number: int
) -> None:
    """In any order, and without a task being loaded or a step replayed for it."""
    if number >= len(transcripts):
        pytest.skip("there are fewer transcripts")
    env, transcript = make(snapshots="on"), transcripts[number]
    states = each_state(env, transcript)
    [worker] = env._fleet.workers
    chosen = random.Random(number).sample(range(len(states)), min(len(states), 24))
    loads, executed = worker.loads, count_steps(worker)
    for start in chosen:
        env.restore(states[start])
        action, observation, score, _ = transcript["steps"][start]
        result = env.step(action)
        assert (result.observation, result.score) == (observation, score)
    assert (env.mismatches, worker.loads, len(executed)) == (0, loads, len(chosen))


def count_steps(worker: Any) -> list[str]:
    """What a worker executes from now on."""
    executed, step = [], type(worker)._step

    def counted(text: str) -> Any:
        executed.append(text)
        return step(worker, text)

    worker._step = counted
    return executed


def test_a_snapshot_is_good_for_another_process(make: Any, apart: Any, jdk: str, transcripts: list[Transcript]) -> None:
    """It is reached by replay there, and by that process's own snapshots from then on."""
    transcript = next(each for each in transcripts if each["task"] == "use-thermometer")
    states = each_state(make(snapshots="on"), transcript)
    other = apart(snapshots="on", workers=1)
    for start in (3, 9, 3, 9, 0):
        other.restore(states[start])
        action, observation, *_ = transcript["steps"][start]
        assert other.step(action).observation == observation
    [worker] = other._fleet.workers
    assert worker.loads == 4 and other.mismatches == 0  # three for the probe, one for the first state


def test_snapshots_that_are_dropped_are_replayed(apart: Any, jdk: str, transcripts: list[Transcript]) -> None:
    """A heap has room for some only; the one used longest ago goes."""
    transcript = max(transcripts, key=lambda each: len(each["steps"]))
    env = apart(snapshots="on", workers=1, memory_mb=64)
    states = each_state(env, transcript)[:80]
    [worker] = env._fleet.workers
    assert len(worker.snapshots) == worker.snapshots.most == 45 < len(states)
    for start in (0, 79, 20):
        env.restore(states[start])
        action, observation, *_ = transcript["steps"][start]
        assert env.step(action).observation == observation
    assert len(worker.snapshots) == worker.snapshots.most and env._fleet.lost == 0


@pytest.mark.slow
def test_environments_that_fight_for_two_processes_show_the_same(
    apart: Any, means: dict[str, Any], transcripts: list[Transcript]
) -> None:
    chosen = sorted(transcripts, key=lambda transcript: len(transcript["steps"]))[1:25:3]
    chosen += [each for each in transcripts if each["task"] == "grow-fruit"][:1]
    environments = [apart(workers=2, **means) for _ in chosen]
    with ThreadPoolExecutor(6) as threads:
        counts = list(threads.map(play, environments, chosen))
    assert sum(counts) > 100 and not any(env.mismatches for env in environments)
    assert len(environments[0]._fleet.workers) == 2


def test_an_episode_goes_on_where_another_one_has_used_the_process(
    make: Any, means: dict[str, Any], transcripts: list[Transcript]
) -> None:
    """Two episodes take turns on a single process: each turn comes back to a state."""
    pairs = [each for each in transcripts if each["task"] in ("lifespan-longest-lived", "use-thermometer")][:2]
    env, other = make(**means), make(**means)
    for player, transcript in ((env, pairs[0]), (other, pairs[1])):
        player.reset(player.task_for(transcript["task"], transcript["variation"]))
    for one, two in zip(pairs[0]["steps"], pairs[1]["steps"], strict=False):
        for player, (action, observation, *_) in ((env, one), (other, two)):
            if not player.snapshot().done:
                assert player.step(action).observation == observation
    assert env.mismatches == other.mismatches == 0


@pytest.mark.parametrize("kind", ["grow-fruit", "mendelian-genetics-known-plant"])
def test_asking_for_valid_actions_changes_nothing(env: Any, transcripts: list[Transcript], kind: str) -> None:
    """Without putting the random numbers back it would change what bees do. The simulator is not begun anew."""
    transcript = next(each for each in transcripts if each["task"] == kind)
    env.reset(env.task_for(kind, transcript["variation"]))
    loads = env._fleet.workers[0].loads
    for number, (action, observation, *_) in enumerate(transcript["steps"][:40]):
        if number % 3 == 0:
            assert env.legal_actions()
        assert env.step(action).observation == observation
    assert env._fleet.workers[0].loads == loads


def test_nonsense_and_numbers_are_part_of_the_state(make: Any) -> None:
    """A number answers the question before it, and only directly: inputs that do nothing may not be dropped."""
    env, other = make(), make()
    task = env.task_for("boil", 0)
    path = ["go to kitchen", "blah", "0", "", "open door to kitchen", "pick up picture", "zzz", "1", "look around"]
    seen = []
    env.reset(task)
    keys = [env.state_key()]
    for action in path:
        seen.append(env.step(action))
        keys.append(env.state_key())
    assert len(set(keys)) == len(keys)
    other.reset(task)
    assert [other.step(action) for action in path] == seen


def test_the_version_says_that_replay_is_exact_here(make: Any) -> None:
    assert make().version.endswith("/exact")
    assert make(max_steps=3).version != make().version != make(simplifications="easy").version


def test_a_java_that_is_not_exact_is_told_apart(java: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentr_sciworld import jvm, worker

    monkeypatch.setattr(jvm, "EXACT_OPTIONS", ())
    ordinary = worker.Worker(jvm.JvmSettings())
    assert not ordinary.exact
    ordinary.close()
