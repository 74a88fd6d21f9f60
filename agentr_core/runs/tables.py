"""The tables of runs by name, for whoever shows them: those that have rows. No printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agentr_core.runs.costs import costs
from agentr_core.runs.report import Table, critics, iterations
from agentr_core.runs.side_by_side import side_by_side
from agentr_core.runs.trainers import has_several, trainers
from agentr_core.store import RunRow, Store


def run_tables(store: Store, run: RunRow, rows: Sequence[dict[str, Any]] | None = None) -> dict[str, Table]:
    """What the iterations of a run came to, what each of its environments took, and the models
    that several trainings made of the same trees.

    ``rows`` are those of ``iteration_rows``, where they are at hand.
    """
    tables = {"iterations": iterations(store, run, rows), "environments": costs(store, run, alone=True)}
    made = trainers(store, [run])
    return _with_rows({**tables, **({"trainers": made} if has_several(made) else {})})


def critic_tables(store: Store, runs: Sequence[RunRow]) -> dict[str, Table]:
    """The critics over the trees of some runs."""
    return _with_rows({"critics": critics(store, runs)})


def comparison_tables(store: Store, runs: Sequence[RunRow]) -> dict[str, Table]:
    """Runs beside each other; and what several seeds of the same settings say together."""
    return _with_rows(dict(zip(("runs", "seeds"), side_by_side(store, runs), strict=False)))


def _with_rows(tables: Mapping[str, Table]) -> dict[str, Table]:
    return {name: table for name, table in tables.items() if table.rows}
