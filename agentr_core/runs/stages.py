"""What a run's stages came to, out of the store, as a table. No printing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from agentr_core.process.progress import clock, time_left
from agentr_core.runs.report import Cells, Table
from agentr_core.store import RunRow, StageRow, Store

#: Which metrics of a stage are shown, in this order.
_SHOWN = {
    "search": ("trees", "failed", "nodes", "solved"),
    "revise": ("pairs", "revisions", "verified", "good"),
    "train": ("examples", "loss", "steps"),
    "evaluate": ("success", "reward", "revision_test"),
}
_SHARES = ("success", "revision_test")


def stages(store: Store, run: RunRow) -> Table:
    """A row for each stage that was begun, in order; one that was at work when its run ended has the run's state."""
    found, state = store.runs.stages(run.id), store.runs.state(run)
    states = [state if stage.status == "running" else stage.status for stage in found]
    data = [{**stage.as_dict(), "status": status} for stage, status in zip(found, states, strict=True)]
    rows = [_cells(stage, status) for stage, status in zip(found, states, strict=True)]
    return Table(["iteration", "stage", "status", "took", "result"], rows, data)


def under_way(stage: StageRow) -> str:
    """How far a stage at work is, as its line in the terminal says: ``41% · ~1:20 left``; nothing at its start."""
    found = stage.metrics.get("under_way")
    if not found:
        return ""
    return " · ".join(filter(None, (f"{int(100 * found['share'])}%", time_left(found["seconds_left"]))))


def time_between(start: str | None, end: str | None) -> str | None:
    """The time between two stored times, ``m:ss``; None where one of them is missing."""
    if not start or not end:
        return None
    return clock((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def _cells(stage: StageRow, state: str) -> Cells:
    names = [name for name in _SHOWN.get(stage.stage, tuple(stage.metrics)[:4]) if name in stage.metrics]
    shown = " · ".join(f"{_value(name, stage.metrics[name])} {name.replace('_', ' ')}" for name in names)
    if source := stage.metrics.get("taken_from"):
        shown = " · ".join(filter(None, (shown, f"taken over from run {source[-8:]}")))
    if state == "running":
        shown = under_way(stage)
    when = str(stage.iteration or "baseline")
    return [when, stage.stage, state, time_between(stage.started_at, stage.finished_at) or "-", shown]


def _value(name: str, value: Any) -> str:
    if name in _SHARES:
        return f"{100 * value:.1f}%"
    return f"{value:,.4g}" if isinstance(value, int | float) else str(value)
