"""Plots as SVG: dots with whiskers, lines, bars. No numbers are computed; each mark says what it stands for.

A plot is 440 units wide, so that its text can be read on a telephone and on paper. Colours and sizes of text come from
the page's style sheet.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agentr_core.report.escaping import html, html_line

WIDTH = 440
_LEFT, _RIGHT = 46, 428
_MOST_LABEL = 62
#: Series differ in colour and in dashes; the seventh looks like the first.
SERIES = 6


@dataclass(frozen=True, slots=True)
class Point:
    """A mark: where it is, its interval if it has one, and what it says."""

    label: str
    value: float
    low: float | None
    high: float | None
    told: str
    x: float = 0.0


def whiskers(title: str, points: Sequence[Point]) -> str:
    """Shares as dots with their intervals, one below the other, on an axis from 0 to 100%."""
    body = [_share_axis(len(points) * 36 + 8)]
    for row, point in enumerate(points):
        y = row * 36 + 30
        low, at, high = (_across(share) for share in (point.low, point.value, point.high))
        body.append(_text(12, y - 12, html_line(point.label, _MOST_LABEL)))
        if low is not None and high is not None:
            body.append(f'<line class="whisker" x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}"/>')
        body.append(f'<circle class="dot" cx="{at:.1f}" cy="{y}" r="4.5"><title>{_said(point)}</title></circle>')
    return _svg(title, len(points) * 36 + 30, body)


def _across(share: float | None) -> float | None:
    return None if share is None else 12 + (WIDTH - 24) * min(max(share, 0.0), 1.0)


def _share_axis(bottom: int) -> str:
    lines = []
    for percent in (0, 25, 50, 75, 100):
        x = _across(percent / 100)
        anchor = {0: "start", 100: "end"}.get(percent, "middle")
        lines.append(f'<line class="grid" x1="{x}" y1="4" x2="{x}" y2="{bottom}"/>')
        lines.append(_text(x or 0, bottom + 16, f"{percent}%", anchor, "tick"))
    return "".join(lines)


def lines(title: str, series: Sequence[tuple[str, Sequence[Point]]], across: str, *, shares: bool) -> str:
    """Points by ``x``, each series joined by a line, dots and whiskers where they have intervals."""
    every = [point for _, points in series for point in points]
    top, bottom = 14 + 16 * len(series), 210 + 16 * len(series)
    xs = _Scale([point.x for point in every], _LEFT, _RIGHT)
    ys = _Scale([0.0, 1.0] if shares else [0.0, *(point.value for point in every)], bottom, top)
    body = []
    for tick in ys.ticks():
        y = ys.at(tick)
        body.append(f'<line class="grid" x1="{_LEFT}" y1="{y:.1f}" x2="{_RIGHT}" y2="{y:.1f}"/>')
        body.append(_text(_LEFT - 6, y + 4, f"{100 * tick:.0f}%" if shares else _short(tick), "end", "tick"))
    body += [_text(xs.at(tick), bottom + 16, _short(tick), "middle", "tick") for tick in xs.ticks()]
    body.append(_text((_LEFT + _RIGHT) / 2, bottom + 34, html(across), "middle", "tick"))
    for number, (name, points) in enumerate(series):
        body += _one_line(number, name, points, xs, ys)
    return _svg(title, bottom + 42, body)


def _one_line(number: int, name: str, points: Sequence[Point], xs: _Scale, ys: _Scale) -> list[str]:
    kind, y = f"s{number % SERIES}", 12 + 16 * number
    body = [f'<line class="line {kind}" x1="12" y1="{y - 4}" x2="36" y2="{y - 4}"/>', _text(42, y, html_line(name, 56))]
    path = " ".join(f"{xs.at(point.x):.1f},{ys.at(point.value):.1f}" for point in points)
    body.append(f'<polyline class="line {kind}" points="{path}"/>')
    for point in points:
        x = xs.at(point.x)
        if point.low is not None and point.high is not None:
            ends = f'y1="{ys.at(point.low):.1f}" x2="{x:.1f}" y2="{ys.at(point.high):.1f}"'
            body.append(f'<line class="whisker thin" x1="{x:.1f}" {ends}/>')
        if point.told:
            where = f'cx="{x:.1f}" cy="{ys.at(point.value):.1f}"'
            body.append(f'<circle class="dot {kind}" {where} r="4"><title>{_said(point)}</title></circle>')
    return body


def bars(title: str, groups: Sequence[tuple[str, Sequence[tuple[str, float]]]]) -> str:
    """Counts as bars, in groups with a heading; all on one scale."""
    most = max((value for _, rows in groups for _, value in rows), default=0) or 1
    body, y = [], 16
    for heading, rows in groups:
        body.append(_text(12, y, html_line(heading, _MOST_LABEL), kind="head"))
        for label, value in rows:
            y += 20
            long = max(1.0, 230 * value / most)
            body.append(_text(122, y, html(label), "end"))
            body.append(f'<rect class="bar" x="130" y="{y - 11}" width="{long:.1f}" height="13" rx="2"/>')
            body.append(_text(136 + long, y, f"{value:,.0f}"))
        y += 30
    return _svg(title, y - 14, body)


class _Scale:
    """Places values between two ends of the picture; a single value stands in the middle."""

    def __init__(self, values: Iterable[float], start: float, end: float) -> None:
        values = list(values) or [0.0]
        self.low, self.high, self.start, self.end = min(values), max(values), start, end

    def at(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low)

    def ticks(self, about: int = 4) -> list[float]:
        """Round values inside the range, some four of them."""
        if self.high == self.low:
            return [self.low]
        rough = (self.high - self.low) / about
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * times for times in (1, 2, 2.5, 5, 10) if power * times >= rough)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * count for count in range(first, last + 1)]


def _short(value: float) -> str:
    """A tick: ``0.25``, ``12``, ``1.5 M``."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e4)):
        if abs(value) >= size:
            return f"{value / (1e3 if unit == 'k' else size):.3g} {unit}"
    return f"{value:.4g}"


def _said(point: Point) -> str:
    return f"{html_line(point.label, 200)}: {html_line(point.told)}"


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "label") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _svg(title: str, height: float, body: Iterable[str]) -> str:
    head = f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{html(title)}">'
    return f"<figure>{head}{''.join(body)}</svg><figcaption>{html(title)}</figcaption></figure>"
