"""What is told of conversations that a trainer left out for their length."""

from __future__ import annotations

import pytest

from agentr_core.train.length_notes import epochs_warning, length_note, length_warning

SETTING = ("sft.max_length", 1024)
DROPPED = {"examples": 1.0, "dropped": 49.0, "max_length": 1024.0, "longest": 3120.0}


@pytest.mark.parametrize(
    ("metrics", "note"),
    [
        ({}, ""),
        ({"loss": 1.0}, ""),
        ({**DROPPED, "dropped": 0.0}, ""),
        (DROPPED, "49 dropped for length (sft.max_length=1024)"),
        ({**DROPPED, "shortened": 3.0}, "49 dropped for length (sft.max_length=1024) · 3 shortened"),
        ({**DROPPED, "max_length": 512.0}, "49 dropped for length (the model's context is 512 tokens)"),
        ({"examples": 1.0, "untrained": 2.0}, "2 without a turn to train"),
        ({"examples": 112.0, "unwanted": 129.0}, "129 not of the kind that is trained on"),
    ],
)
def test_the_note_holds_what_the_metrics_hold(metrics: dict[str, float], note: str) -> None:
    assert length_note(metrics, SETTING) == note


def test_a_trainer_without_such_a_setting_is_told_of_without_it() -> None:
    assert length_note(DROPPED, ("mine.max_length", None)) == "49 dropped for length"
    assert length_warning(DROPPED, ("mine.max_length", None)) == "49 of 50 conversations are too long and were left out"


def test_the_share_of_agent_data_that_is_left_is_said_where_it_was_to_be_another() -> None:
    mixed = {**DROPPED, "examples": 40.0, "general": 38.0}
    assert length_note(mixed, SETTING, 0.2).endswith(" · 5% agent data left (data.eta=0.2)")
    assert "agent data" not in length_note(mixed, SETTING, 1.0)
    assert "agent data" not in length_note({**mixed, "dropped": 0.0}, SETTING, 0.2)


def test_a_warning_above_five_percent_says_what_to_set() -> None:
    assert length_warning({**DROPPED, "examples": 95.0, "dropped": 5.0}, SETTING) is None
    assert length_warning({"examples": 9.0}, SETTING) is None
    many = {**DROPPED, "examples": 94.0, "dropped": 6.0}
    start = "6 of 100 conversations are too long (sft.max_length=1024) and were left out; "
    assert length_warning(many, SETTING) == f"{start}set sft.max_length to 3120 to keep all"
    assert length_warning({**many, "longest": 0.0}, SETTING) == f"{start}raise sft.max_length"
    short = length_warning({**many, "max_length": 512.0}, SETTING)
    assert short is not None and short.endswith("a model with a longer context takes them")


def test_rows_that_are_gone_through_too_often_are_a_warning_that_says_what_to_set() -> None:
    assert epochs_warning({"examples": 112.0}, "dpo") is None
    assert epochs_warning({"epochs": 10.0}, "dpo") is None
    said = epochs_warning({"epochs": 18.4}, "dpo")
    assert said is not None and said.startswith("the rows are gone through 18 times")
    assert "dpo.epochs or dpo.trained_tokens" in said
