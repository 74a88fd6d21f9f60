"""Rewards, ends, caps, legal actions and demonstrations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agentr_sciworld.tasks import kinds

from agentr_core import UsageError
from agentr_core.interfaces.turn_parsing import REVISION_ACTION

#: A kind of each topic whose plans are short; benchmarks/sciworld.py solves all thirty.
KINDS = [kind.name for kind in kinds() if kind.id in ("1-2", "2-2", "3-1", "4-4", "6-2", "7-3", "8-1", "9-1")]


def test_the_first_observation_is_the_task_and_what_is_seen(env: Any) -> None:
    seen = env.reset(env.task_for("find-plant", 0))
    assert seen.startswith("Your task is to find a(n) plant.") and "\nThis room is called the" in seen


def test_a_wrong_focus_ends_the_task_without_reward_and_is_told_apart(env: Any) -> None:
    env.reset(env.task_for("boil", 0))
    result = env.step("focus on agent")
    assert (result.terminated, result.truncated, result.reward, result.score) == (True, False, 0.0, -100.0)
    assert result.info == {"failed": True}
    with pytest.raises(RuntimeError, match="the episode has ended: call reset first"):
        env.step("look around")
    assert env.legal_actions() == []
    assert "This room" in env.reset(env.task_for("boil", 0))
    assert env.step("look around").score == 0


def test_refused_inputs_are_invalid_and_cost_no_move(make: Any) -> None:
    env = make(move_cap=1)
    env.reset(env.task_for("boil", 0))
    for text in ("fly to the moon", "", "x" * 5000, "✂ \x00\ud800"):
        result = env.step(text)
        assert result.info["invalid"] and not result.truncated


def test_own_cap_and_the_simulators_moves_are_two_things(make: Any) -> None:
    env = make(max_steps=3, move_cap=20)
    env.reset(env.task_for("boil", 0))
    assert [env.step("look around").truncated for _ in range(3)] == [False, False, True]
    env.reset(env.task_for("boil", 0))
    assert [env.step("wait").truncated for _ in range(2)] == [False, True]  # a wait is more than ten moves


def test_wait_is_an_action_and_the_revision_action_is_another(env: Any) -> None:
    env.reset(task := env.task_for("boil", 0))
    assert REVISION_ACTION == "revise" and "wait" in env.instructions(task)
    assert "invalid" not in env.step("wait").info
    assert env.step("revise").info["invalid"]


def test_a_variation_that_does_not_exist_is_refused(env: Any) -> None:
    task = env.task_for("boil", 0)
    with pytest.raises(UsageError, match="'boil' has no variation 999"):
        env.reset(task.model_copy(update={"metadata": {"task": "boil", "variation": 999}}))


def test_simplifications_reach_the_simulator_and_do_not_leak(make: Any) -> None:
    plain, easy = make(), make(simplifications="openDoors,teleportAction")
    assert "(that is closed)" in plain.reset(plain.task_for("boil", 0))
    assert "(that is open)" in easy.reset(easy.task_for("boil", 0))
    assert "(that is closed)" in plain.reset(plain.task_for("boil", 0))
    assert "teleport" in easy.step("teleport to kitchen").observation.lower()
    assert plain.step("teleport to kitchen").info["invalid"]


def test_wrong_use_is_refused(make: Any) -> None:
    env = make()
    for call in (lambda: env.step("look around"), env.state_key, env.legal_actions):
        with pytest.raises(RuntimeError, match="there is no episode: call reset first"):
            call()
    assert env.distance() is None


def test_legal_actions_are_understood(env: Any) -> None:
    env.reset(env.task_for("find-plant", 0))
    actions = env.legal_actions()
    assert len(actions) > 100 and env.legal_actions() == actions
    for action in actions[:: len(actions) // 8]:
        env.reset(env.task_for("find-plant", 0))
        assert not env.step(action).observation.startswith("No known action")


def test_a_demonstration_is_kept_on_disk_and_the_first_one_stands(make: Any, tmp_path: Path) -> None:
    env = make(cache=str(tmp_path))
    task = env.task_for("lifespan-longest-lived", 0)
    shown = env.demonstrate(task)
    [file] = tmp_path.rglob("*.json")
    assert json.loads(file.read_text())["actions"] == list(shown) and [*tmp_path.rglob("*.new")] == []
    file.write_text(json.dumps({"actions": ["look around"]}))
    assert make(cache=str(tmp_path)).demonstrate(task) == ("look around",)
    file.write_text("{")
    assert make(cache=str(tmp_path)).demonstrate(task)[-1].startswith("focus on")


def test_what_cannot_be_shown_within_the_caps_is_not_shown(make: Any) -> None:
    env = make(max_steps=3)
    assert env.demonstrate(env.task_for("boil", 0)) is None


@pytest.mark.parametrize("name", KINDS)
def test_a_demonstration_solves_twice_with_equal_bytes(env: Any, name: str) -> None:
    task = env.task_for(name, 1)
    actions = env.demonstrate(task)
    assert actions is not None

    def play() -> list[object]:
        return [env.reset(task), *(env.step(action) for action in actions)]

    first = play()
    assert first == play()
    assert first[-1].reward == 1.0 and first[-1].score == 100 and first[-1].terminated


def test_demonstrating_leaves_the_episode_alone(env: Any) -> None:
    env.reset(env.task_for("boil", 0))
    env.step("open door to kitchen")
    env.demonstrate(env.task_for("lifespan-longest-lived", 0))
    assert env.step("go to kitchen").observation == "You move to the kitchen."
