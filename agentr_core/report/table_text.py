"""Tables for other programs: CSV, Markdown and LaTeX. Pure."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, Literal

from agentr_core.process.terminal import one_line
from agentr_core.report.escaping import latex

TableFormat = Literal["csv", "md", "latex"]
#: What Markdown would take for more than text: a column's end, HTML, code, emphasis, links, an escape.
_MARKDOWN = re.compile(r"([|<`*\[\\])")
_NUMBER = re.compile(r"-|\?|[-+]?[\d,.]+%?( ± [\d.?]+| \([^()]*\)|, mean of \d+)*")


def cell(value: Any) -> str:
    """A value as a cell; None is ``-``."""
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def written(headers: Sequence[str], rows: Sequence[Sequence[Any]], form: TableFormat, caption: str = "") -> str:
    """The table as CSV (RFC 4180, but lines end as here), Markdown, or LaTeX with booktabs; the last has a caption."""
    table = [[*headers], *([cell(value) for value in row] for row in rows)]
    if form == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(table)
        return text.getvalue()
    return _latex(table, caption) if form == "latex" else _markdown(table)


def is_number(text: str) -> bool:
    """True for a cell that belongs to the right of its column: figures, also with an interval."""
    return _NUMBER.fullmatch(text) is not None


def numeric(table: Sequence[Sequence[str]]) -> list[bool]:
    """For each column of a heading and its rows, whether all cells below the heading are numbers."""
    return [len(table) > 1 and all(is_number(row[at]) for row in table[1:]) for at in range(len(table[0]))]


def markdown(text: str) -> str:
    """Text for a line of Markdown, nothing of it as markup."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))


def _markdown(table: Sequence[Sequence[str]]) -> str:
    marked = [[markdown(text) or " " for text in row] for row in table]
    lines = [f"| {' | '.join(row)} |" for row in marked]
    return "\n".join([lines[0], "|" + " --- |" * len(table[0]), *lines[1:]]) + "\n"


def _latex(table: Sequence[Sequence[str]], caption: str) -> str:
    heading, *rows = ([latex(text) for text in row] for row in table)
    lines = [
        r"\begin{table}",
        r"\centering",
        *([rf"\caption{{{latex(caption)}}}"] if caption else []),
        rf"\begin{{tabular}}{{{''.join('r' if right else 'l' for right in numeric(table))}}}",
        r"\toprule",
        " & ".join(heading) + r" \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"
