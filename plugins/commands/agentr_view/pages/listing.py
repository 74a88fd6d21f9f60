"""What all pages share: lists with the cursor of their next page, tables and plots as JSON, turns of conversations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from agentr_core import Message, Plot, Series, Table

#: The titles of the core's tables.
TITLES = {
    "iterations": "Success by iteration",
    "environments": "What each environment took",
    "trainers": "Trainers over the same trees",
    "critics": "Critics over the same trees",
    "runs": "Runs side by side",
    "seeds": "Seeds taken together",
}


def as_list(page: Any, item: Callable[[Any], dict[str, Any]], **beside: Any) -> dict[str, Any]:
    """A page of rows, and the cursor of the next one."""
    return {"items": [item(row) for row in page.items], "next": cursor(page.next), **beside}


def cursor(key: Any) -> str | None:
    """A key as the next address holds it."""
    return None if key is None else json.dumps(key, separators=(",", ":"))


def as_tables(tables: Mapping[str, Table]) -> list[dict[str, Any]]:
    """Tables as the pages take them."""
    return [
        {"id": name, "title": TITLES[name], "columns": table.columns, "rows": table.rows, "notes": list(table.notes)}
        for name, table in tables.items()
    ]


def as_plots(plots: Iterable[Plot]) -> list[dict[str, Any]]:
    """Plots as the pages take them."""
    return [
        {
            "id": plot.id,
            "title": plot.title,
            "kind": plot.kind,
            "x": {"label": plot.x_label, "categories": plot.categories},
            "y": {"label": plot.y_label, "unit": plot.unit},
            "stacked": plot.stacked,
            "series": [_given(one) for one in plot.series],
        }
        for plot in plots
    ]  # fmt: skip


def _given(series: Series) -> dict[str, Any]:
    return {name: value for name, value in asdict(series).items() if value is not None}


def as_turns(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The turns of a conversation."""
    return [{"role": turn.role, "text": turn.content, "train": turn.train} for turn in messages]
