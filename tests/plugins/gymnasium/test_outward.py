"""agentr's environments in ``gymnasium.make``."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from agentr_core import UsageError, create

SYNTHETIC = {"world": "synthetic"}


@pytest.fixture
def gymnasium() -> Any:
    return pytest.importorskip("gymnasium", reason="needs gymnasium: pip install 'agentr-core[gymnasium]'")


def test_gymnasiums_checker_is_content(gymnasium: Any, recwarn: pytest.WarningsRecorder) -> None:
    from gymnasium.utils.env_checker import check_env

    check_env(gymnasium.make("agentr_gymnasium.envs:agentr/textcraft-v0", **SYNTHETIC).unwrapped)
    assert [str(warning.message) for warning in recwarn if "WARN" in str(warning.message)] == []


def test_registered_by_an_import_or_by_the_id_alone(gymnasium: Any) -> None:
    for code in (
        "import agentr_gymnasium.envs, gymnasium; gymnasium.make('agentr/textcraft-v0', world='synthetic').reset()",
        "import gymnasium; gymnasium.make('agentr_gymnasium.envs:agentr/textcraft-v0', world='synthetic').reset()",
    ):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_the_seed_picks_the_task_and_rewards_add_up(gymnasium: Any) -> None:
    world = gymnasium.make("agentr_gymnasium.envs:agentr/textcraft-v0", split="valid", **SYNTHETIC)
    env = create("env", "textcraft", **SYNTHETIC)
    tasks = env.tasks("valid")
    for seed in (0, 1, len(tasks) + 1):
        shown, info = world.reset(seed=seed)
        task = tasks[seed % len(tasks)]
        assert (info["task"], info["instruction"]) == (task.key, task.instruction) and shown == env.reset(task)
        assert info["instructions"] == env.instructions(task) and info["valid_actions"] == env.legal_actions()
    rewards = [world.step(action)[1:] for action in env.demonstrate(task)]
    assert sum(step[0] for step in rewards) == 1.0 and rewards[-1][1:3] == (True, False)
    assert rewards[-1][3]["score"] == 1.0
    assert world.reset(options={"task": tasks[2].key})[1]["task"] == tasks[2].key
    fixed = gymnasium.make("agentr/textcraft-v0", task=tasks[1].key, valid_actions=False, **SYNTHETIC)
    assert fixed.reset(seed=9)[1]["task"] == tasks[1].key and "valid_actions" not in fixed.step("inventory")[4]
    with pytest.raises(UsageError, match="no split 'nope'"):
        gymnasium.make("agentr/textcraft-v0", split="nope", **SYNTHETIC)


def test_there_and_back_again(gymnasium: Any) -> None:
    """agentr's environment, out through Gymnasium and in again, plays the same episodes and keeps the contract."""
    from agentr_core.testing import check_environment

    def again() -> Any:
        id = "agentr_gymnasium.envs:agentr/textcraft-v0"
        return create("env", "gymnasium", id=id, kwargs={"split": "test", **SYNTHETIC}, splits={"test": [0, 4]})

    check_environment(again)
    env, inner = again(), create("env", "textcraft", **SYNTHETIC)
    for task, original in zip(env.tasks("test"), inner.tasks("test"), strict=False):
        assert env.reset(task) == inner.reset(original)
        for action in inner.demonstrate(original):
            one, other = env.step(action), inner.step(action)
            assert (one.observation, one.reward, one.terminated) == (other.observation, other.reward, other.terminated)
