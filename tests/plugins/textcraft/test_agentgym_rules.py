"""Byte for byte the texts of AgentGym's TextCraft."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft


def test_every_transcript_replays_exactly(env: TextCraft, transcripts: list[dict[str, Any]]) -> None:
    assert len(transcripts) == 400
    for transcript in transcripts:
        task = env.task_for(transcript["goal"])
        env.reset(task)
        assert task.metadata == {"goal": transcript["goal"], "depth": transcript["depth"]}
        for action, observation, reward, done in transcript["steps"]:
            result = env.step(action)
            assert (result.observation, result.reward, result.terminated) == (observation, reward, done)
            assert not result.truncated


def test_every_goals_own_commands_are_agentgyms(env: TextCraft, transcripts: list[dict[str, Any]]) -> None:
    for transcript in transcripts:
        head, _, last = env.reset(env.task_for(transcript["goal"])).rpartition("\n\n")
        title, *lines = head.split("\n")
        own = set(transcript["recipe_lines"])
        assert title == "Crafting commands:" and last == f"Goal: craft {transcript['goal']}."
        assert own <= set(lines) and len(lines) == len(set(lines)) <= len(own) + 10


REPR = "ItemTagWithCount(item_tag=ItemTag(tag={}, item_id={}), count={})"


@pytest.mark.parametrize(
    ("before", "action", "text", "invalid"),
    [
        ([], "get 3 oak logs", "Got 3 oak logs", False),
        ([], "get 007 oak logs", "Got 7 oak logs", False),
        ([], "get 2 oak_logs", "Got 2 oak_logs", False),
        ([], "get 1 dirt\nand more", "Got 1 dirt", False),
        ([], "get 0 dirt", "Got 0 dirt", False),
        (["get 0 dirt"], "inventory", "Inventory: [dirt] (0) ", False),
        ([], "get 1 oak planks", "Could not find oak planks", True),
        ([], "get 1 planks", "Could not find planks", True),
        ([], "get 1 unobtainium", "Could not find unobtainium", True),
        ([], "get 2 dirt, 3 stone", "Could not find dirt, 3 stone", True),
        ([], "get 1 Dirt", "Could not find Dirt", True),
        ([], "get dirt", "Could not execute get dirt", True),
        ([], "get 1", "Could not execute get 1", True),
        ([], "inventory", "Inventory: You are not carrying anything.", False),
        ([], "inventory please", "Inventory: You are not carrying anything.", False),
        ([], "Inventory", "Could not execute Inventory", True),
        ([], " inventory", "Could not execute  inventory", True),
        ([], "look around", "Could not execute look around", True),
        ([], "", "Could not execute ", True),
        (["get 1 oak logs"], "craft 4 oak planks using 1 oak logs", "Crafted 4 minecraft:oak_planks", False),
        (["get 1 oak logs"], "craft 99 oak planks using 1 oak logs", "Crafted 4 minecraft:oak_planks", False),
        (["get 1 oak logs"], "craft oak planks using 1 oak logs", "Crafted 4 minecraft:oak_planks", False),
        ([], "craft 4 oak planks using 1 oak logs", "Could not find enough items to craft minecraft:oak_planks", True),
        ([], "craft 4 planks using 1 oak logs", "Could not find enough items to craft None", True),
        (["get 1 dirt"], "craft 4 planks using 1 dirt",
         "Could not find a valid recipe for " + REPR.format("'minecraft:planks'", None, 4), True),
        (["get 1 dirt"], "craft it's using 1 dirt",
         "Could not find a valid recipe for " + REPR.format(None, '"minecraft:it\'s"', 1), True),
        (["get 2 oak logs"], "craft 4 oak planks using 2 oak logs",
         "Could not find a valid recipe for " + REPR.format(None, "'minecraft:oak_planks'", 4), True),
        (["get 1 oak logs"], "craft 4 oak planks using oak logs", "Wrong item format: oak logs", True),
        (["get 1 oak logs"], "craft 4 oak planks using 1 oak logs,", "Wrong item format: ", True),
        (["get 1 oak logs"], "craft 4 oak planks with 1 oak logs",
         "Could not execute craft 4 oak planks with 1 oak logs", True),
        (["get 1 oak logs", "craft 4 oak planks using 1 oak logs"], "craft 4 stick using 2 planks",
         "Could not find enough items to craft minecraft:stick", True),
        (["get 1 oak logs", "craft 4 oak planks using 1 oak logs"], "craft 4 stick using 2 oak planks",
         "Crafted 4 minecraft:stick", False),
        (["get 1 oak logs", "craft 4 oak planks using 1 oak logs"], "craft 4 stick using 1 oak planks, 1 oak planks",
         "Could not find a valid recipe for " + REPR.format(None, "'minecraft:stick'", 4), True),
        (["get 1 oak logs", "get 1 dirt", "craft 4 oak planks using 1 oak logs"], "inventory",
         "Inventory: [dirt] (1) [oak planks] (4) ", False),
    ],
)  # fmt: skip
def test_texts(env: TextCraft, before: list[str], action: str, text: str, invalid: bool) -> None:
    env.reset(env.task_for("oak door"))
    for step in before:
        assert not env.step(step).info
    result = env.step(action)
    assert (result.observation, result.info) == (text, {"invalid": True} if invalid else {})
    assert (result.reward, result.terminated, result.truncated) == (0.0, False, False)


def test_refused_actions_change_nothing(env: TextCraft) -> None:
    env.reset(env.task_for("oak door"))
    env.step("get 2 oak logs")
    before = env.state_key()
    for action in ("get 1 oak planks", "craft 4 oak planks using 3 oak logs", "craft 1 x using 1 oak logs", "hm"):
        assert env.step(action).info == {"invalid": True}
    assert env.state_key() == before


def test_naming_an_ingredient_twice(env: TextCraft) -> None:
    env.reset(env.task_for("oak door"))
    env.step("get 1 oak logs")
    text = env.step("craft 4 oak planks using 1 oak logs, 1 oak logs").observation
    assert text == "Could not find a valid recipe for " + REPR.format(None, "'minecraft:oak_planks'", 4)


def test_one_item_for_two_ingredients_must_be_there_twice(recipe_folder: Path) -> None:
    recipe = {"ingredients": [{"tag": "board"}, {"item": "fir_board"}], "result": "crate"}
    (recipe_folder / "crate.json").write_text(json.dumps({"type": "crafting_shapeless", **recipe}))
    env = TextCraft(TextCraftConfig(world=str(recipe_folder)))
    env.reset(env.task_for("crate"))
    env.step("get 3 fir log")
    env.step("craft 2 fir board using 1 fir log")
    env.step("craft 3 peg using 1 fir board")
    refused = env.step("craft 1 crate using 1 fir board, 1 fir board")
    assert refused.observation == "Could not find enough items to craft minecraft:crate"
    assert env.step("inventory").observation == "Inventory: [fir log] (2) [fir board] (1) [peg] (3) "
    env.step("craft 2 fir board using 1 fir log")
    assert env.step("craft 1 crate using 1 fir board, 1 fir board").reward == 1.0


def test_numbers_of_any_length_are_answered(env: TextCraft) -> None:
    env.reset(env.task_for("oak door"))
    for digits in (600, 600, 601, 5_000, 100_000):
        result = env.step(f"get {'9' * digits} dirt")
        assert bool(result.info) == (digits > 600)
    assert len(env.step("inventory").observation) > 600
