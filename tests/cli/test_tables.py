"""Tables at the width of a terminal, and in a pipe."""

from __future__ import annotations

import csv
import io

import pytest

from agentr_core.cli.tables import blocks, shortened
from agentr_core.report.table_text import written

HEADERS = ("run", "success after training (95%)", "error", "path")
ROWS = [
    (
        "seed-0",
        "60.0% (50.2-69.1)",
        "the server was away for some time " * 3,
        "/home/somebody/" + "x" * 90,
    ),
    ("seed-1", None, "", "/tmp/y"),
]


def words(lines: tuple[str, ...]) -> set[str]:
    return {word for line in lines for word in line.split()}


def test_a_pipe_gets_whole_rows() -> None:
    (block,) = blocks(HEADERS, ROWS, None)
    assert len(block.heading) == 1 and len(block.lines) == len(ROWS)
    assert all(str(value) in block.lines[0] for value in ROWS[0])


@pytest.mark.parametrize("width", [40, 60, 80, 100, 250])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(width: int) -> None:
    made = list(blocks(HEADERS, ROWS, width))
    assert all(len(line) <= width for block in made for line in (*block.heading, *block.lines))
    known = words((*HEADERS, *(str(value) for row in ROWS for value in row if value is not None))) | {"-"}
    assert all(word in known or "…" in word for block in made for word in words((*block.heading, *block.lines)))


def test_columns_without_room_follow_under_the_first_one() -> None:
    made = list(blocks(HEADERS, ROWS, 60))
    assert len(made) > 1 and all(block.columns[0] == 0 for block in made)
    assert [at for block in made for at in block.columns[1:]] == [1, 2, 3]


def test_a_cell_with_its_interval_stays_whole() -> None:
    cells = [["baseline", *["27.0% (19.3-36.4)"] * 6]]
    lines = [line for block in blocks(["", *["success (95%)"] * 6], cells, 80) for line in block.lines]
    assert sum(line.count("27.0% (19.3-36.4)") for line in lines) == 6


def test_a_long_path_keeps_its_end() -> None:
    assert shortened("/home/somebody/project/agentr-out/iteration-1/model", 30) == "/home/some…t/iteration-1/model"
    assert shortened("two words that are short", 10) == "two words that are short"


def test_tables_are_written_for_other_programs() -> None:
    text = written(("a", "b"), [("x, y", None), ("p|q", 0.25)], "csv")
    assert list(csv.reader(io.StringIO(text))) == [["a", "b"], ["x, y", "-"], ["p|q", "0.25"]]
    assert written(("a", ""), [("p|q", 1)], "md").splitlines() == ["| a |   |", "| --- | --- |", "| p\\|q | 1 |"]
