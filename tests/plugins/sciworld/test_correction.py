"""Action correction by overlap of words; the rule itself needs no Java."""

from __future__ import annotations

from typing import Any

import pytest
from agentr_sciworld.correction import corrected

VALID = ["go to kitchen", "close door to kitchen", "focus on metal pot", "focus on air", "focus on agent",
         "pick up metal pot", "pour metal pot into sink", "look around", "open fridge"]  # fmt: skip
AROUND = "In it, you see: a metal pot, a sink, a fridge. In your inventory: an orange"


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ("pick up metal pot", "pick up metal pot"),
        ("pick up the metal pot!", "pick up metal pot"),
        ("grab pot", "pick up metal pot"),  # as many words as two others, and it is the shortest
        ("open door to green house", "open door to greenhouse"),
        ("close door to kitchen", "open door to kitchen"),  # doors can only be opened
        ("focus on air", "focus on metal pot"),
        ("xyzzy", "xyzzy"),
    ],
)
def test_overlap(said: str, done: str) -> None:
    assert corrected(said, VALID, AROUND) == done


def test_only_what_is_there_can_be_focused_on() -> None:
    assert corrected("focus on metal pot", VALID, "an empty room") != "focus on metal pot"


def test_what_was_done_is_recorded_beside_what_was_said(make: Any) -> None:
    env = make(action_correction="overlap")
    env.reset(env.task_for("boil", 0))
    result = env.step("open the door to kitchen please")
    assert result.observation == "The door is now open." and result.info == {"executed": "open door to kitchen"}
    assert env.step("look around").info == {}
    again = make()
    again.reset(env.task_for("boil", 0))
    assert "executed" not in again.step("open the door to kitchen please").info
