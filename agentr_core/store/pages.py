"""Rows a page at a time, for those who look at a store of any size. Nothing is ever skipped by count (``OFFSET``).

A page ends in the key of its last row, and the next page begins behind it: rows that are added meanwhile are neither
shown twice nor do they push others out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from agentr_core.store.connection import Connection
from agentr_core.store.rows import (
    DatasetItem,
    DatasetRow,
    EvalResult,
    Preference,
    Row,
    RunRow,
    RunStatus,
    Sample,
    SampleKind,
    TreeRow,
    WorkStatus,
)

T = TypeVar("T")
U = TypeVar("U")
RowT = TypeVar("RowT", bound=Row)
Key = tuple[int | float | str, ...]

_TREES = "trees.*, tasks.env, tasks.key AS task, tasks.instruction FROM trees JOIN tasks ON tasks.id = trees.task_id"
_RESULTS = "r.*, tasks.env, tasks.key AS task FROM eval_results r JOIN tasks ON tasks.id = r.task_id"
#: What trees may be ordered by; those that are equal by their number.
TREE_ORDERS = {
    "id": "trees.id",
    "nodes": "trees.n_nodes",
    "simulations": "trees.simulations",
    "best": "coalesce(trees.best_reward, -1.0)",
    "seconds": "coalesce(trees.elapsed_seconds, -1.0)",
    "task": "tasks.key",
}
#: An end is what ``Tree.leaves`` gives: terminal (8), nothing below it, since it was not expanded (32), not the root.
_ENDS = """
SELECT tree_id, count(*) AS attempts, sum(reward >= 1.0) AS solved FROM nodes
WHERE tree_id IN ({ids}) AND flags & 40 = 8 AND parent IS NOT NULL GROUP BY tree_id
"""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, the key of each, and whether more follow."""

    items: Sequence[T]
    keys: Sequence[Key]
    more: bool

    @property
    def next(self) -> Key | None:
        """Behind which key the next page begins; None where there is none."""
        return self.keys[-1] if self.more else None

    def of(self, made: Callable[[T], U]) -> Page[U]:
        """The same page with ``made`` of each row in its place."""
        return Page([made(item) for item in self.items], self.keys, self.more)


@dataclass(frozen=True, slots=True)
class Query:
    """What a page is taken from: ``columns`` of rows for which ``where`` holds, ordered by the unique ``key``."""

    columns: str
    where: Mapping[str, tuple[Any, ...]]
    key: Sequence[str]
    descending: bool = False

    def page(self, connection: Connection, after: Key | None, limit: int) -> Page[sqlite3.Row]:
        """At most ``limit`` rows behind the one of key ``after``."""
        where = dict(self.where)
        if after is not None:
            sign = "<" if self.descending else ">"
            where[f"({', '.join(self.key)}) {sign} ({', '.join('?' * len(self.key))})"] = after
        keys = "".join(f"{column} AS key{number}, " for number, column in enumerate(self.key))
        order = ", ".join(f"{column} DESC" if self.descending else column for column in self.key)
        sql = f"SELECT {keys}{self.columns} WHERE {' AND '.join(where) or 1} ORDER BY {order} LIMIT ?"
        values = [value for bound in where.values() for value in bound]
        rows = connection.all(sql, (*values, limit + 1))
        shown = rows[:limit]
        own = [tuple(row[f"key{number}"] for number in range(len(self.key))) for row in shown]
        return Page(shown, own, len(rows) > limit)


class Pages:
    """Pages of the store's larger tables, and the counts that stand beside them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def runs(self, after: Key | None, limit: int, *, status: RunStatus | None = None, text: str = "") -> Page[RunRow]:
        """Runs, newest first; ``text`` is part of a name, key, command or setting."""
        where = _equal({"status": status})
        where |= _holds("coalesce(name, '') || ' ' || key || ' ' || command || ' ' || config_json", text)
        return self._rows(RunRow, Query("* FROM runs", where, ("id",), descending=True), after, limit)

    def tree_counts(self, run_ids: Iterable[int]) -> dict[int, tuple[int, int]]:
        """How many trees and nodes some runs have, by run."""
        ids = list(run_ids)
        rows = self._connection.all(
            f"SELECT run_id, count(*), sum(n_nodes) FROM trees WHERE run_id IN ({_marks(ids)}) GROUP BY run_id", ids
        )
        return {run: (trees, nodes) for run, trees, nodes in rows}

    def trees(
        self,
        run_id: int,
        after: Key | None,
        limit: int,
        *,
        order: str = "id",
        descending: bool = False,
        iteration: int | None = None,
        env: str | None = None,
        status: WorkStatus | None = None,
        text: str = "",
    ) -> Page[tuple[TreeRow, str]]:
        """Trees of a run with the words of their tasks, ordered by one of :data:`TREE_ORDERS`; ``text`` is part of a
        task's key or words."""
        equal = {"trees.run_id": run_id, "trees.iteration": iteration, "tasks.env": env, "trees.status": status}
        where = {**_equal(equal), **_holds("tasks.key || ' ' || tasks.instruction", text)}
        key = ("trees.id",) if order == "id" else (TREE_ORDERS[order], "trees.id")
        page = Query(_TREES, where, key, descending).page(self._connection, after, limit)
        return page.of(lambda row: (TreeRow.read(row), row["instruction"]))

    def tasks_of(self, tree_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
        """The environment and key of the tasks of some trees, by tree."""
        ids = list(set(tree_ids))
        sql = "SELECT trees.id, env, key FROM trees JOIN tasks ON tasks.id = trees.task_id WHERE trees.id IN"
        return {tree: (env, key) for tree, env, key in self._connection.all(f"{sql} ({_marks(ids)})", ids)}

    def ends(self, tree_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Whole attempts, and those of reward 1, by tree; one without a whole attempt is not among them."""
        rows = self._connection.all(_ENDS.format(ids=_marks(tree_ids)), tuple(tree_ids))
        return {row["tree_id"]: (row["attempts"], row["solved"]) for row in rows}

    def samples(
        self,
        set_id: int,
        after: Key | None,
        limit: int,
        *,
        kind: SampleKind | None = None,
        verified: bool | None = None,
        kept: bool | None = None,
    ) -> Page[Sample]:
        """The samples of a revision set by tree, kind and leaves."""
        where = _equal({"set_id": set_id, "kind": kind, "verified": verified, "kept": kept})
        key = ("tree_id", "kind", "bad_leaf", "good_leaf")
        return self._rows(Sample, Query("* FROM samples", where, key), after, limit)

    def preferences(self, set_id: int, after: Key | None, limit: int) -> Page[Preference]:
        """The preference pairs of a revision set by tree, node and leaves."""
        key = ("tree_id", "node", "chosen_leaf", "rejected_leaf")
        return self._rows(Preference, Query("* FROM preferences", _equal({"set_id": set_id}), key), after, limit)

    def dataset_items(self, dataset_id: int, after: Key | None, limit: int, *, kind: str = "") -> Page[DatasetItem]:
        """The examples of a dataset in order."""
        where = _equal({"dataset_id": dataset_id, "kind": kind or None})
        return self._rows(DatasetItem, Query("* FROM dataset_items", where, ("position",)), after, limit)

    def dataset_kinds(self, dataset: DatasetRow) -> dict[str, int]:
        """How many rows of each kind a dataset has; one that is a view of trees says so itself."""
        if dataset.reads != "conversations":
            kinds = {name: int(count) for name, count in dataset.config["selection"].items()}
            return {name: kinds[name] for name in sorted(kinds.keys() - {"trees", "used_trees"})}
        sql = "SELECT kind, count(*) FROM dataset_items WHERE dataset_id = ? GROUP BY kind ORDER BY kind"
        return dict(tuple(row) for row in self._connection.all(sql, (dataset.id,)))

    def results(self, eval_id: int, after: Key | None, limit: int, *, success: bool | None = None) -> Page[EvalResult]:
        """How the tasks of an evaluation went, by task and repeat."""
        where = _equal({"r.eval_id": eval_id, "r.success": success})
        return self._rows(EvalResult, Query(_RESULTS, where, ("r.task_id", "r.repeat")), after, limit)

    def evaluated_tasks(self, eval_ids: Sequence[int], after: Key | None, limit: int) -> Page[tuple[int, str, str]]:
        """The tasks (number, environment, key) that any of some evaluations has played."""
        where = {f"id IN (SELECT task_id FROM eval_results WHERE eval_id IN ({_marks(eval_ids)}))": tuple(eval_ids)}
        page = Query("id, env, key FROM tasks", where, ("id",)).page(self._connection, after, limit)
        return page.of(lambda row: (row["id"], row["env"], row["key"]))

    def results_of(self, eval_ids: Sequence[int], task_ids: Sequence[int]) -> list[tuple[int, EvalResult]]:
        """How some tasks went in some evaluations, each with the evaluation's number."""
        sql = f"SELECT {_RESULTS} WHERE r.eval_id IN ({_marks(eval_ids)}) AND r.task_id IN ({_marks(task_ids)})"
        rows = self._connection.all(f"{sql} ORDER BY r.eval_id, r.task_id, r.repeat", (*eval_ids, *task_ids))
        return [(row["eval_id"], EvalResult.read(row)) for row in rows]

    def _rows(self, kind: type[RowT], query: Query, after: Key | None, limit: int) -> Page[RowT]:
        return query.page(self._connection, after, limit).of(kind.read)


def _equal(columns: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Conditions that columns equal values; one asked to be None may be anything."""
    return {f"{column} = ?": (value,) for column, value in columns.items() if value is not None}


def _holds(expression: str, text: str) -> dict[str, tuple[Any, ...]]:
    """The condition that ``text`` is part of something, in letters of either case."""
    return {f"instr(lower({expression}), lower(?)) > 0": (text,)} if text else {}


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
