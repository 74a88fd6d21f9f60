"""Datasets of every kind, and their conversations with what is trained in them."""

from __future__ import annotations

from typing import Any

from agentr_core import Store
from agentr_view.asked import Asked
from agentr_view.pages.listing import as_list, as_turns
from agentr_view.pages.runs import dataset_item


def listing(store: Store, asked: Asked) -> dict[str, Any]:
    """The datasets of a run, or of all."""
    name = asked.text("run")
    run = store.runs.find(name, having="datasets") if name else None
    rows = store.datasets.select(run.id if run else None)
    runs = {number: store.runs.get(number) for number in {row.run_id for row in rows}}
    return {"items": [_named(store, row, runs[row.run_id]) for row in rows], "next": None}


def one(store: Store, asked: Asked) -> dict[str, Any]:
    """One dataset without its conversations."""
    row = store.datasets.get(asked.path_number("dataset"))
    return _named(store, row, store.runs.get(row.run_id))


def _named(store: Store, row: Any, run: Any) -> dict[str, Any]:
    return {**dataset_item(store, row), "run": {"key": run.key, "short": run.short, "name": run.name}}


def items(store: Store, asked: Asked) -> dict[str, Any]:
    """The conversations of a dataset, in order."""
    row = store.datasets.get(asked.path_number("dataset"))
    page = store.pages.dataset_items(row.id, asked.cursor(int), asked.limit(), kind=asked.text("kind"))
    return as_list(page, lambda item: _item(store, item), dataset=row.id)


def _item(store: Store, item: Any) -> dict[str, Any]:
    turns = as_turns(store.conversations.get(item.conversation))
    return {"position": item.position, "kind": item.kind, "origin": item.origin, "turns": turns}
