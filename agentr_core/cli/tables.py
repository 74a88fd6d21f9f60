"""Tables as text: aligned columns, made to fit a terminal by one rule.

A pipe gets whole rows. Where the terminal is too narrow, headings and long texts are folded at spaces, never inside a
word, and columns that still find no room are left to the caller: another block below, or a word about what is missing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core.process.terminal import visible
from agentr_core.report.table_text import cell

GAP = "  "
#: A cell up to this width is never folded: figures with their interval, times, names.
WHOLE = 24
#: The least room for one column beside the first: a longer word, such as a path, is shortened in its middle.
LEAST = 30


@dataclass(frozen=True, slots=True)
class Block:
    """Some columns of a table, as lines; the first line or lines are its ``heading``."""

    heading: tuple[str, ...]
    lines: tuple[str, ...]
    columns: tuple[int, ...]


def blocks(headers: Sequence[str], rows: Sequence[Sequence[Any]], width: int | None) -> Iterator[Block]:
    """The table in blocks that are at most ``width`` wide: one where it fits, else several with its first column.

    Without a ``width`` (a pipe) there is one block, and no cell is folded.
    """
    table = [[*headers], *([_seen(cell(value)) for value in row] for row in rows)]
    natural = [max(len(row[at]) for row in table) for at in range(len(headers))]
    if width is None or _total(natural) <= width:
        yield _block(table, range(len(headers)), natural)
        return
    room = max(LEAST, width - len(GAP) - min(natural[0], width // 2))
    limits = [width // 2, *[room] * (len(headers) - 1)]
    table = [[shortened(text, limit) for text, limit in zip(row, limits, strict=True)] for row in table]
    natural = [max(len(row[at]) for row in table) for at in range(len(headers))]
    least = [_least([row[at] for row in table]) for at in range(len(headers))]
    for chosen in _groups(least, width):
        yield _block(table, chosen, _widths(chosen, least, natural, width))


def _seen(text: str) -> str:
    """A cell as it is, but what a terminal would obey is shown, and a newline is a blank."""
    return visible(text).replace("\n", " ").replace("\t", " ")


def _groups(least: Sequence[int], width: int) -> Iterator[list[int]]:
    """Which columns stand side by side: the first, and as many of the others as there is room for, in their order."""
    chosen = [0]
    for at in range(1, len(least)):
        if len(chosen) > 1 and _total([least[other] for other in (*chosen, at)]) > width:
            yield chosen
            chosen = [0]
        chosen.append(at)
    yield chosen


def _widths(chosen: Sequence[int], least: Sequence[int], natural: Sequence[int], width: int) -> list[int]:
    """What each column gets: its least, and what is left goes to those that are folded most."""
    widths = [least[at] for at in chosen]
    for _ in range(width - _total(widths)):
        wanted = [natural[at] - got for at, got in zip(chosen, widths, strict=True)]
        if max(wanted) <= 0:
            break
        widths[wanted.index(max(wanted))] += 1
    return widths


def _least(cells: Sequence[str]) -> int:
    """The narrowest a column can be: its longest word, or its longest cell that is kept whole."""
    words = (len(word) for text in (cells[0], *cells[1:]) for word in text.split() or [""])
    whole = (len(text) for text in cells[1:] if len(text) <= WHOLE)
    return max((*words, *whole))


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _block(table: Sequence[Sequence[str]], chosen: Sequence[int], widths: Sequence[int]) -> Block:
    """Lines of the chosen columns; a cell that is wider than its column goes on in the next line."""
    drawn: list[tuple[str, ...]] = []
    for row in table:
        folded = [_fold(row[at], width) for at, width in zip(chosen, widths, strict=True)]
        height = max(len(lines) for lines in folded)
        cells = [[*lines, *[""] * (height - len(lines))] for lines in folded]
        drawn.append(
            tuple(
                GAP.join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
                for line in zip(*cells, strict=True)
            )
        )
    return Block(drawn[0], tuple(line for lines in drawn[1:] for line in lines), tuple(chosen))


def _fold(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False) or [""]


def shortened(text: str, width: int) -> str:
    """Text whose words are at most ``width`` long: a longer one, such as a path, is ``…`` in its middle."""
    if len(text) <= width:
        return text
    return " ".join(word if len(word) <= width else _middle(word, width) for word in text.split(" "))


def _middle(word: str, width: int) -> str:
    head = max(1, width // 3)
    return f"{word[:head]}…{word[len(word) - (width - head - 1) :]}"
