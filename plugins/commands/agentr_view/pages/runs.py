"""Runs, and one run with all that belongs to it but its trees."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentr_core import (
    Store,
    account_rows,
    account_warnings,
    comparison_plots,
    comparison_tables,
    iteration_rows,
    run_plots,
    run_settings,
    run_summary,
    run_tables,
    set_labels,
    under_way,
)
from agentr_view.asked import Asked, BadRequest
from agentr_view.pages.listing import as_plots, as_tables, cursor

STATES = ("running", "done", "failed", "interrupted", "killed")
#: Runs that are put side by side, at most.
MOST_COMPARED = 20


def listing(store: Store, asked: Asked) -> dict[str, Any]:
    """All runs, newest first."""
    after, limit, text, status = asked.cursor(int), asked.limit(), asked.text("q"), asked.choice("status", STATES)
    stored: Any = "running" if status == "killed" else status
    shown: list[Any] = []
    while True:  # whether a run is alive is no column
        page = store.pages.runs(after, limit, status=stored, text=text)
        for run in page.items:
            if status in (None, store.runs.state(run)):
                shown.append(run)
            if len(shown) == limit and (page.more or run is not page.items[-1]):
                return _listed(store, shown, cursor((run.id,)))
        if not page.more:
            return _listed(store, shown, None)
        after = page.next


def _listed(store: Store, shown: list[Any], following: str | None) -> dict[str, Any]:
    counts = store.pages.tree_counts([run.id for run in shown])
    return {"items": [run_item(store, run, counts.get(run.id, (0, 0))) for run in shown], "next": following}


def run_item(store: Store, run: Any, counts: tuple[int, int]) -> dict[str, Any]:
    """A run in a row. ``counts``: its trees and nodes."""
    names = ("key", "short", "name", "command", "created_at", "finished_at", "seed", "error")
    stored = {name: getattr(run, name) for name in names}
    trees, nodes = counts
    return {**stored, "status": store.runs.state(run), **run_summary(store, run), "trees": trees, "nodes": nodes}


def one(store: Store, asked: Asked) -> dict[str, Any]:
    """One run: its stages, tables, plots, account, settings, and what it made."""
    run = store.runs.find(asked.path_text("key"))
    counts = store.pages.tree_counts([run.id]).get(run.id, (0, 0))
    rows = iteration_rows(store, run)
    about = {"agentr_version": run.agentr_version, "host": run.host, "pid": run.pid}
    return {
        "run": {**run_item(store, run, counts), **about},
        "stages": [_stage(row, store.runs.state(run)) for row in store.runs.stages(run.id)],
        "tables": as_tables(run_tables(store, run, rows)),
        "plots": as_plots(run_plots(store, run, rows)),
        "account": list(account_rows(store, run)),
        "warnings": account_warnings(store, run),
        "settings": [{"key": key, "value": value, "source": source} for key, value, source in run_settings(run)],
        "plugins": [row.as_dict() for row in store.runs.plugins(run.id)],
        "sets": set_items(store, run),
        "datasets": [dataset_item(store, row) for row in store.datasets.select(run.id)],
        "checkpoints": [row.as_dict() for row in store.checkpoints.select(run.id)],
        "evals": eval_items(store, run, rows),
    }


def _stage(row: Any, run: str) -> dict[str, Any]:
    """A stage; of one at work how far it is and what it still takes. ``run`` is the state that its run is in."""
    status = run if row.status == "running" else row.status
    metrics = {name: value for name, value in row.metrics.items() if name != "under_way"}
    told = under_way(row) if status == "running" else ""
    return {**row.as_dict(), "status": status, "metrics": metrics, "seconds": _seconds(row), "under_way": told}


def set_items(store: Store, run: Any, iteration: int | None = None) -> list[dict[str, Any]]:
    """The revision sets of a run, each called by what tells it from the others."""
    sets = store.revisions.select(run.id, iteration=iteration)
    labels = set_labels(sets)
    return [{**row.as_dict(), "label": labels[row.id]} for row in sets]


def dataset_item(store: Store, row: Any) -> dict[str, Any]:
    """A dataset in a row, with how many examples of each kind it has."""
    return {**row.as_dict(), "kinds": store.pages.dataset_kinds(row)}


def eval_items(store: Store, run: Any, rows: Any = None) -> list[dict[str, Any]]:
    """The evaluations of a run, each called by what it measured; ``rows`` of ``iteration_rows``, if at hand."""
    labels = {row["eval"]: row["label"] for row in rows or iteration_rows(store, run)}
    return [
        {**row.as_dict(), "label": labels.get(row.id) or f"{row.kind.replace('_', ' ')} · iteration {row.iteration}"}
        for row in store.evaluations.select(run.id)
    ]


def compare(store: Store, asked: Asked) -> dict[str, Any]:
    """Runs side by side: ``runs=A,B``, each by its name or key."""
    names = list(dict.fromkeys(name for name in asked.text("runs").split(",") if name))
    if not 1 <= len(names) <= MOST_COMPARED:
        raise BadRequest(f"runs: from 1 to {MOST_COMPARED} runs as A,B, not {len(names)}")
    chosen = [store.runs.find(name) for name in names]
    return {
        "tables": as_tables(comparison_tables(store, chosen)),
        "plots": as_plots(comparison_plots(store, chosen)),
    }


def _seconds(row: Any) -> float | None:
    if not row.started_at or not row.finished_at:
        return None
    return (datetime.fromisoformat(row.finished_at) - datetime.fromisoformat(row.started_at)).total_seconds()
