from __future__ import annotations

import pytest
from agentr_textcraft.env import TextCraft

PLANKS = ["get 2 oak logs", "craft 4 oak planks using 1 oak logs"]


@pytest.mark.parametrize(
    ("before", "action", "text"),
    [
        ([], "  GET 3   Oak Logs ", "You got 3 oak logs."),
        (["get 2 oak logs"], "Craft 4 oak planks using 1 OAK logs", "You crafted 4 oak planks."),
        (["get 2 oak logs"], "craft oak planks using 1 oak logs", "You crafted 4 oak planks."),
        ([], "inventory", "You carry nothing."),
        (["get 2 stone", "get 1 dirt"], "Inventory", "You carry 1 dirt, 2 stone."),
    ],
)
def test_accepted(strict: TextCraft, before: list[str], action: str, text: str) -> None:
    _after(strict, before)
    result = strict.step(action)
    assert (result.observation, result.info) == (text, {})


@pytest.mark.parametrize(
    ("before", "action", "text"),
    [
        ([], "get 0 dirt", "Say how many to get, at least 1, as in 'get 2 dirt'."),
        ([], "get dirt", "Say how many to get, at least 1, as in 'get 2 dirt'."),
        ([], "get 1 oak planks", "You cannot get oak planks: it has to be crafted."),
        ([], "get 1 planks", "'planks' stands for several items: name one of them, such as acacia planks."),
        ([], "get 1 unobtainium", "There is no item called 'unobtainium'."),
        ([], "craft 1 dirt using 1 stone", "dirt cannot be crafted: fetch it with 'get 1 dirt'."),
        ([], "craft 4 oak planks using 1 oak logs", "You need 1 oak logs but have 0."),
        (["get 2 oak logs"], "craft 4 oak planks using 2 oak logs",
         "The numbers are wrong: oak planks takes 1 oak logs."),
        (["get 2 oak logs"], "craft 3 oak planks using 1 oak logs", "This recipe makes 4 oak planks, not 3."),
        (["get 1 dirt"], "craft 4 oak planks using 1 dirt", "No recipe makes oak planks from these ingredients."),
        (PLANKS, "craft 4 stick using 2 planks",
         "'planks' stands for several items: name one of them, such as acacia planks."),
        (PLANKS, "craft 4 stick using oak planks",
         "'oak planks' is no ingredient: write a number and an item, as in '2 stick'."),
        (PLANKS, "craft 4 stick using 1 oak planks, 1 oak planks",
         "oak planks is named twice: give each ingredient once, with its whole number."),
        ([], "inventory please", "'inventory please' is not an action. Use 'get N item', "
                                 "'craft N item using N item, N item' or 'inventory'."),
        ([], "get " + "9" * 700 + " dirt", "That number is too long."),
    ],
)  # fmt: skip
def test_refused(strict: TextCraft, before: list[str], action: str, text: str) -> None:
    _after(strict, before)
    key = strict.state_key()
    result = strict.step(action)
    assert (result.observation, result.info, result.reward) == (text, {"invalid": True}, 0.0)
    assert strict.state_key() == key


def test_echo_of_a_long_action_is_short(strict: TextCraft) -> None:
    _after(strict, [])
    for action in ("x" * 100_000, "get 1 " + "x" * 100_000, "craft 1 stick using " + "x" * 100_000):
        assert len(strict.step(action).observation) < 300


def test_order_of_the_inventory_is_no_state(strict: TextCraft, env: TextCraft) -> None:
    for world, same in ((strict, True), (env, False)):
        _after(world, ["get 1 dirt", "get 1 stone"])
        key, text = world.state_key(), world.step("inventory").observation
        _after(world, ["get 1 stone", "get 1 dirt"])
        assert (world.state_key() == key) is same
        assert (world.step("inventory").observation == text) is same


def _after(env: TextCraft, actions: list[str]) -> None:
    env.reset(env.task_for("oak door"))
    for action in actions:
        assert not env.step(action).info
