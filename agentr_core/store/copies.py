"""Stages of one run copied into another that would do the very same: a copy is told from its original by its run.

Texts are stored once whatever run they are of, so that a copy takes the room of numbers and token ids alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentr_core.store.connection import Connection

#: Below a tree, and below a tree that a revision set has revised.
_OF_TREE = ("nodes", "verdicts")
_OF_REVISED = ("revised_trees", "samples", "preferences")

_MARK = """
UPDATE stages SET metrics_json = json_set(
  coalesce(metrics_json, '{}'), '$.taken_from',
  coalesce(json_extract(metrics_json, '$.taken_from'), (SELECT key FROM runs WHERE id = ?))
) WHERE run_id = ? AND iteration = ? AND stage = ?
"""


class Copies:
    """Copies rows of a run (``source``) into another (``into``), both by their number. Columns of a row that is copied
    stay as they are, but for the numbers of rows that were copied with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def evaluations(self, source: int, into: int, iteration: int) -> dict[int, int]:
        """The finished evaluations of an iteration with their results; the number of each copy by its original's."""
        where = {"run_id": source, "iteration": iteration, "status": "done"}
        copied = self._rows("evals", where, {"run_id": into})
        for old, new in copied.items():
            self._copy("eval_results", {"eval_id": old}, {"eval_id": new})
        return copied

    def trees(self, source: int, into: int, iteration: int) -> dict[int, int]:
        """The trees of an iteration with nodes and verdicts; the number of each copy by its original's."""
        copied = self._rows("trees", {"run_id": source, "iteration": iteration}, {"run_id": into})
        for old, new in copied.items():
            for table in _OF_TREE:
                self._copy(table, {"tree_id": old}, {"tree_id": new})
        return copied

    def revision_set(self, set_id: int, into: int, trees: Mapping[int, int]) -> int:
        """One revision set over ``trees`` that were copied; its number."""
        (new,) = self._rows("revision_sets", {"id": set_id}, {"run_id": into}).values()
        for table in _OF_REVISED:
            for tree, copy in trees.items():
                self._copy(table, {"set_id": set_id, "tree_id": tree}, {"set_id": new, "tree_id": copy})
        return new

    def stage(self, source: int, into: int, iteration: int, stage: str, result_id: int | None) -> None:
        """A stage's row and account; ``result_id`` is the copy of what the stage had made.

        The metric ``taken_from`` is the key of the run that did the work.
        """
        where = {"run_id": source, "iteration": iteration, "stage": stage}
        self._copy("stages", where, {"run_id": into, "result_id": result_id})
        self._copy("accounts", where, {"run_id": into})
        self._connection.execute(_MARK, (source, *{**where, "run_id": into}.values()))

    def _rows(self, table: str, where: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[int, int]:
        """Copy rows that have a number of their own, one by one; the new numbers by the old."""
        condition = " AND ".join(f"{name} = ?" for name in where)
        found = self._connection.all(f"SELECT id FROM {table} WHERE {condition} ORDER BY id", tuple(where.values()))
        copied = {}
        for (old,) in found:
            self._copy(table, {"id": old}, {"id": None, **changed})
            copied[old] = int(self._connection.all("SELECT last_insert_rowid()")[0][0])
        return copied

    def _copy(self, table: str, where: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        """Copy the rows of a table that ``where`` names, with the values of ``changed`` in place of their own."""
        columns = [name for (name,) in self._connection.all("SELECT name FROM pragma_table_info(?)", (table,))]
        taken = ", ".join("?" if name in changed else name for name in columns)
        condition = " AND ".join(f"{name} = ?" for name in where)
        values = [changed[name] for name in columns if name in changed]
        self._connection.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {taken} FROM {table} WHERE {condition}",
            (*values, *where.values()),
        )
