"""Datasets of every kind, and their conversations with what is trained in them."""

from __future__ import annotations

from typing import Any

from agentr_core import Store, tree_row, tree_set_page
from agentr_view.asked import Asked
from agentr_view.pages.listing import as_list, as_turns, cursor
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
    """The conversations of a dataset in order, or the rows of trees that it is a view of."""
    row = store.datasets.get(asked.path_number("dataset"))
    if row.reads != "conversations":
        found = tree_set_page(store, row, asked.cursor(int, int, int), asked.limit(), asked.text("kind"))
        items = [_of_trees(place, each, row.reads) for place, each in found.items]
        return {"items": items, "next": cursor(found.next), "dataset": row.id}
    page = store.pages.dataset_items(row.id, asked.cursor(int), asked.limit(), kind=asked.text("kind"))
    return as_list(page, lambda item: _item(store, item), dataset=row.id)


#: The conversations of a row, in the order they are shown.
_PARTS = ("prompt", "messages", "completion", "chosen", "rejected")


def _of_trees(place: int, row: Any, reads: str) -> dict[str, Any]:
    """A row in its parts (what was said before, what it is about), and what is known of it."""
    told = tree_row(row)
    parts = {name: told.pop(name) for name in _PARTS if name in told}
    origin, kind = told.pop("origin"), told.pop("kind", reads)
    shown = [{"name": name, "turns": [_turn(turn) for turn in turns]} for name, turns in parts.items()]
    facts = {name: value for name, value in told.items() if isinstance(value, int | float)}
    return {"position": place, "kind": kind, "origin": origin, "parts": shown, "facts": facts}


def _turn(message: dict[str, Any]) -> dict[str, Any]:
    return {"role": message["role"], "text": message["content"], "train": message["train"]}


def _item(store: Store, item: Any) -> dict[str, Any]:
    turns = as_turns(store.conversations.get(item.conversation))
    return {"position": item.position, "kind": item.kind, "origin": item.origin, "turns": turns}
