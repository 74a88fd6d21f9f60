"""Exported files: what other trainers find in them, and that they are whole."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentr_core import Example, Message, MissingDependencyError, UsageError, read_dataset
from agentr_core.train.export import example_row, preference_row, prompt_completion_rows, write_rows


@pytest.fixture
def examples() -> list[Example]:
    turns = (
        Message("user", "Goal: craft “stick” — 木\u2028🪵"),
        Message("assistant", "Action: get 2 stone"),
        Message("user", "Got 2 stone"),
        Message("assistant", "Action: get 2 oak planks", train=True),
    )
    good = (Message("user", "Goal"), Message("assistant", "Action: go", train=True))
    return [Example(turns, "revision", {"tree": 3, "cut": 1}), Example(good, "good", {"tree": 4})]


def test_jsonl_carries_the_mask_under_all_three_names_and_reads_back(examples: list[Example], tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    assert write_rows(map(example_row, examples), path) == 2
    first = json.loads(path.read_text(encoding="utf-8").split("\n")[0])
    assert [turn["train"] for turn in first["messages"]] == [False, False, False, True]
    assert [turn["loss"] for turn in first["messages"]] == [False, False, False, True]
    assert [turn["weight"] for turn in first["messages"]] == [0, 0, 0, 1]
    assert (first["kind"], first["origin"]) == ("revision", {"tree": 3, "cut": 1})
    assert [example.messages for example in read_dataset(path).examples] == [each.messages for each in examples]


def test_prompt_and_completion_are_a_row_for_each_trained_turn(revision: Callable[[int], Example]) -> None:
    example = revision(3)
    rows = list(prompt_completion_rows(example))
    trained = [index for index, turn in enumerate(example.messages) if turn.train]
    assert [row["completion"] for row in rows] == [[example.messages[index].as_dict()] for index in trained]
    assert [len(row["prompt"]) for row in rows] == trained
    assert all(set(row) == {"prompt", "completion"} for row in rows)


def test_parquet_holds_the_same(examples: list[Example], tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "data.parquet"
    assert write_rows(map(example_row, examples), path, "parquet") == 2
    rows = parquet.read_table(path).to_pylist()
    assert [{**row, "origin": json.loads(row["origin"])} for row in rows] == [example_row(each) for each in examples]


def test_parquet_without_pyarrow_names_the_line_to_type(
    examples: list[Example], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'agentr-core\[parquet\]'"):
        write_rows(map(example_row, examples), tmp_path / "data.parquet", "parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_export_that_fails_leaves_the_old_file(examples: list[Example], tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text("old")

    def rows() -> Iterator[dict[str, Any]]:
        yield example_row(examples[0])
        raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError, match="in the middle"):
        write_rows(rows(), path)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["data.jsonl"]


def test_a_path_that_cannot_be_written_is_a_usage_error(examples: list[Example], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_rows(map(example_row, examples), tmp_path / "nowhere" / "data.jsonl")


def test_what_is_no_file_stays_what_it_is(examples: list[Example], tmp_path: Path) -> None:
    """As root, a file moved to /dev/null would take its place."""
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_rows(map(example_row, examples), pipe)
    reader.join(60)
    assert read[0].count("\n") == len(examples) and pipe.is_fifo()


def test_a_preference_pair_parts_where_the_conversations_do(examples: list[Example]) -> None:
    head = (Message("user", "Goal"), Message("assistant", "Action: look", train=True), Message("user", "A table."))
    good = (*head, Message("assistant", "Action: left"), Message("user", "Gold."), Message("assistant", "Action: take"))
    bad = (*head, Message("assistant", "Action: right"), Message("user", "A wall."))
    row = preference_row((*good, Message("user", "Done.")), bad, {"tree": 1})
    said: Callable[[str], list[str]] = lambda part: [turn["content"] for turn in row[part]]  # type: ignore[index] # noqa: E731
    assert said("prompt") == ["Goal", "Action: look", "A table."]
    assert said("chosen") == ["Action: left", "Gold.", "Action: take"]  # to the last agent turn
    assert said("rejected") == ["Action: right"]
    assert row is not None and row["origin"] == {"tree": 1}
    assert all(set(turn) == {"role", "content"} for part in ("prompt", "chosen", "rejected") for turn in row[part])


def test_conversations_that_do_not_part_are_no_pair(examples: list[Example]) -> None:
    messages = examples[0].messages
    assert preference_row(messages, messages) is None
    assert preference_row(messages, messages[:2]) is None
