"""The whole loop over other people's packages, without a model: search, value critic, verified splices, a dataset."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from worlds_loop import one_iteration

import agentr_core
from agentr_core.testing import check_environment


@pytest.fixture(scope="session")
def games(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with three small games of TextWorld."""
    pytest.importorskip("textworld", reason="needs TextWorld: pip install textworld")
    program = shutil.which("tw-make")
    if program is None:
        pytest.skip("needs TextWorld's tw-make on the PATH")
    folder = tmp_path_factory.mktemp("games")
    for seed in range(1, 4):
        size = ("--world-size", "2", "--nb-objects", "4", "--quest-length", "3", "--seed", str(seed))
        made = [program, "custom", *size, "--output", str(folder / f"game-{seed}.z8")]
        subprocess.run(made, check=True, capture_output=True)
    return str(folder)


def test_a_text_world_with_a_random_policy(make: Any, tmp_path: Path) -> None:
    _, dataset = one_iteration(
        tmp_path / "agentr.db",
        env="gymnasium",
        policy="random",
        gymnasium={"id": "test/Corridor-v0", "modules": "gym_worlds", "max_steps": 8},
        mcts={"simulations": 6, "depth": 8},
        search={"tasks": 2},
        evaluate={"tasks": 2, "revision_tasks": 1},
    )
    assert {example.kind for example in dataset.examples} == {"good", "revision"}


@pytest.mark.slow
def test_textworld_with_the_flawed_expert(make: Any, games: str, tmp_path: Path) -> None:
    made, dataset = one_iteration(
        tmp_path / "agentr.db",
        env="gymnasium",
        critic="oracle",
        policy="flawed",
        gymnasium={"id": f"textworld/{games}", "max_steps": 12},
        mcts={"simulations": 3, "depth": 10},
        flawed={"rate": 0.4},
        search={"tasks": 1},
        evaluate={"tasks": 1, "revision_tasks": 1},
    )
    assert made["good"] > 0 and dataset.examples


@pytest.mark.slow
def test_textworld_keeps_every_rule(make: Any, games: str) -> None:
    check_environment(lambda: make(f"textworld/{games}"))
    env = make(f"textworld/{games}")
    assert {split: len(env.tasks(split)) for split in env.splits()} == {"train": 1, "valid": 1, "test": 1}
    task = env.tasks("train")[0]
    shown = env.demonstrate(task)
    env.reset(task)
    assert [env.distance(), *((env.step(action), env.distance())[1] for action in shown)] == [3.0, 2.0, 1.0, 0.0]
    with pytest.raises(agentr_core.UsageError, match="there are only 3 game files"):
        make(f"textworld/{games}", splits={"train": [0, 5]})


def test_textarena_keeps_every_rule(make: Any) -> None:
    pytest.importorskip("textarena", reason="needs TextArena: pip install textarena")
    check_environment(lambda: make("textarena/FrozenLake-v0"))
    env = make("textarena/FrozenLake-v0")
    task = env.task("seed_5")
    assert "[" in env.reset(task) and env._trial.copies
    first = env.step("right").observation
    assert "right" in first and "You attempted" not in first  # the brackets were added
    with pytest.raises(agentr_core.UsageError, match="TextArena has no game 'Nothing-v0'"):
        made = make("textarena/Nothing-v0")
        made.reset(made.task("seed_0"))
    with pytest.raises(agentr_core.UsageError, match="is no game for one player"):
        made = make("textarena/TicTacToe-v0")
        made.reset(made.task("seed_0"))
