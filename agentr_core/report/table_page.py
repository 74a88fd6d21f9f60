"""Tables and their plots as HTML."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from agentr_core.report.chapters import Part, Plot
from agentr_core.report.escaping import html
from agentr_core.report.plots import SERIES, Point, bars, lines, whiskers
from agentr_core.report.table_text import numeric
from agentr_core.runs.plots import FUNNEL
from agentr_core.runs.report import Table

#: Characters of a cell from which on its column needs room.
_LONG = 24
#: What dots and whiskers are.
_SHARES = "success, and its 95% interval"


def part_html(part: Part, anchor: str) -> str:
    """A part of a chapter: its heading, its plot, its table; or what is missing."""
    body = "".join((plot_html(part), table_html(part.table, part.title, folded=part.long)))
    if not part.table.rows:
        body = f'<p class="missing">{html(part.missing)}</p>'
    return f'<section id="{html(anchor)}"><h3>{html(part.title)}</h3>{body}</section>'


def table_html(table: Table, title: str, *, folded: bool = False) -> str:
    """A table with what its figures mean below it; the first column heads the rows."""
    kinds = _kinds([table.columns, *table.rows])
    head = "".join(f"<th{kind} scope=col>{html(name)}</th>" for name, kind in zip(table.columns, kinds, strict=True))
    rows = "".join(f"<tr>{''.join(map(_cell, range(len(row)), row, kinds))}</tr>" for row in table.rows)
    made = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    box = f'<div class=scroll tabindex=0 role=region aria-label="{html(title)}">{made}</div>'
    if folded:
        box = f"<details><summary>The {len(table.rows):,} rows of the table</summary>{box}</details>"
    return box + "".join(f"<p class=note>{html(note)}</p>" for note in table.notes)


def _cell(at: int, text: str, kind: str) -> str:
    return f"<td{kind}>{html(text)}</td>" if at else f"<th{kind} scope=row>{html(text)}</th>"


def _kinds(table: Sequence[Sequence[str]]) -> list[str]:
    """For each column its class: numbers stand to the right, long texts need room."""
    long = [max(len(row[at]) for row in table) > _LONG for at in range(len(table[0]))]
    pairs = zip(numeric(table), long, strict=True)
    return [" class=num" if number else " class=words" if words else "" for number, words in pairs]


def plot_html(part: Part) -> str:
    """The plot of a part; nothing where it has none, or too little for one."""
    return _PLOTS[part.plot](part.table) if part.plot and part.table.rows else ""


def _success(table: Table) -> str:
    column = next(at for at, name in enumerate(table.columns) if name.startswith("success"))
    shown = [(row, cells) for row, cells in zip(table.data, table.rows, strict=True) if "success" in row]
    points = [_share(row, _name(row), cells[column]) for row, cells in shown]
    return whiskers(_SHARES, points) if points else ""


def _name(row: Mapping[str, Any]) -> str:
    """A row of one run by its label, one of several runs by the name of the run."""
    return f"{row['name']} · {row['label']}" if "name" in row else str(row["label"])


def _share(row: Mapping[str, Any], label: str, told: str, x: float = 0.0) -> Point:
    return Point(label.strip(), row["success"], row["success_low"], row["success_high"], told, x)


def _seeds(table: Table) -> str:
    at = table.columns.index("success (95%)")
    points = []
    for row, cells in zip(table.data, table.rows, strict=True):
        half, value = row["success_half"], row["success"]
        low, high = (None, None) if half is None else (max(0.0, value - half), min(1.0, value + half))
        points.append(Point(f"{cells[0]} · {row['label']}", value, low, high, cells[at]))
    return whiskers("mean success over seeds, and its 95% interval (Student's t)", points)


def _trained(table: Table) -> str:
    at = next(at for at, name in enumerate(table.columns) if name.startswith("success after training"))
    shown = [(row, cells) for row, cells in zip(table.data, table.rows, strict=True) if row["trained"]]
    names = [f"{row['label']} · iteration {row['iteration']}" for row, _ in shown]
    points = [_share(row["trained"], name, cells[at]) for name, (row, cells) in zip(names, shown, strict=True)]
    return whiskers("success after training on the set, and its 95% interval", points) if points else ""


def _yield(table: Table) -> str:
    own = [row for row in table.data if row["own"]] or table.data
    groups = [
        (
            f"iteration {row['iteration']} · {row['label']}",
            [(label, row[key]) for label, key in FUNNEL.items() if row[key] is not None],
        )
        for row in own
    ]
    return bars("what the run's own trees became, on the way to training", groups)


def _loss(table: Table) -> str:
    series = []
    for iteration, rows in groupby(table.data, key=lambda row: row["iteration"]):
        points = [Point("", row["loss"], None, None, "", row["step"]) for row in rows]
        series.append((f"iteration {iteration}", points))
    return lines("loss of each optimizer's step", series[-SERIES:], "optimizer's step", shares=False)


def _tokens(table: Table) -> str:
    points = [
        _share(row, row["label"], f"{cells[2]} after {cells[1]} tokens", row["tokens"])
        for row, cells in zip(table.data, table.rows, strict=True)
    ]
    return lines("success against what the search had taken", [("success (95%)", points)], "tokens", shares=True)


_PLOTS: dict[Plot, Callable[[Table], str]] = {
    "success": _success, "seeds": _seeds, "trained": _trained, "yield": _yield, "loss": _loss, "tokens": _tokens,
}  # fmt: skip
