"""A sweep as one page to send: its table, and its plot."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core.report.escaping import html
from agentr_core.report.page import page
from agentr_core.report.plots import Point, lines, whiskers
from agentr_core.report.table_page import table_html
from agentr_core.runs.plots import Plot, Series
from agentr_core.runs.report import Table


def sweep_page(name: str, table: Table, plot: Plot, odd: Sequence[str] = ()) -> str:
    """The page of a sweep; ``odd`` are lines about what is missing from it."""
    told = "".join(f"<p class=warning>{html(line, 600)}</p>" for line in odd)
    title = f"Sweep {name}"
    return page(f"agentr: {title}", [f"<h1>{html(title)}</h1>", told, _drawn(plot), table_html(table, title)])


def _drawn(plot: Plot) -> str:
    """Lines by iteration; of one iteration alone, its dots below each other."""
    if max(len(series.x) for series in plot.series) > 2:
        drawn = [(series.name, _points(series)) for series in plot.series]
        return lines(plot.title, drawn, plot.x_label, shares=True)
    return whiskers("success of the last models, mean over seeds (95%)", [_points(one)[-1] for one in plot.series])


def _points(series: Series) -> list[Point]:
    ends = [series.low or [None] * len(series.x), series.high or [None] * len(series.x)]
    return [
        Point(series.name, value, low, high, f"{100 * value:.1f}%", x)
        for x, value, low, high in zip(series.x, series.y, *ends, strict=True)
        if value is not None
    ]
