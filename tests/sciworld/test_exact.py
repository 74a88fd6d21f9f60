"""Replay is exact: in one process, in another after other tasks, and where environments fight for processes."""

from __future__ import annotations

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
    assert play(make(), transcripts[number]) > 0


def test_environments_that_fight_for_two_processes_show_the_same(apart: Any, transcripts: list[Transcript]) -> None:
    chosen = sorted(transcripts, key=lambda transcript: len(transcript["steps"]))[1:25:2]
    chosen += [each for each in transcripts if each["task"] == "grow-fruit"][:1]
    environments = [apart(workers=2) for _ in chosen]
    with ThreadPoolExecutor(6) as threads:
        counts = list(threads.map(play, environments, chosen))
    fleet = environments[0]._fleet
    assert sum(counts) > 100 and fleet.divergences == 0 and len(fleet.workers) == 2


def test_an_episode_goes_on_where_another_one_has_used_the_process(env: Any, transcripts: list[Transcript]) -> None:
    """Two episodes take turns on a single process: each turn is a replay."""
    pairs = [each for each in transcripts if each["task"] in ("lifespan-longest-lived", "use-thermometer")][:2]
    other = type(env)(env.config)
    for player, transcript in ((env, pairs[0]), (other, pairs[1])):
        player.reset(player.task_for(transcript["task"], transcript["variation"]))
    for one, two in zip(pairs[0]["steps"], pairs[1]["steps"], strict=False):
        for player, (action, observation, *_) in ((env, one), (other, two)):
            if not player._done:
                assert player.step(action).observation == observation
    assert env._fleet.divergences == 0


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
