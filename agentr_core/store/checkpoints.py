"""Checkpoints: the models that trainers made, or are about to make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentr_core.hashing import canonical_json, content_hash
from agentr_core.store.columns import now, pack_json
from agentr_core.store.connection import Connection
from agentr_core.store.rows import CheckpointRow
from agentr_core.store.selecting import row_by_id, select_rows

_CHECKPOINTS = "SELECT * FROM checkpoints"


class Checkpoints:
    """The checkpoints of the store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def select(
        self, run_id: int | None = None, *, iteration: int | None = None, complete: bool | None = None
    ) -> list[CheckpointRow]:
        """Checkpoints in the order they were begun."""
        where = {"run_id": run_id, "iteration": iteration, "complete": complete}
        return select_rows(self._connection, CheckpointRow, _CHECKPOINTS, where, "id")

    def get(self, checkpoint_id: int) -> CheckpointRow:
        """One checkpoint."""
        return row_by_id(self._connection, CheckpointRow, _CHECKPOINTS, checkpoint_id, "checkpoint")

    def open(
        self,
        run_id: int,
        iteration: int,
        dataset_id: int,
        trainer: str,
        *,
        base_model: str,
        start_model: str,
        path: str,
        config: Mapping[str, Any] | None = None,
    ) -> CheckpointRow:
        """The checkpoint that a trainer is about to make, not complete; the stored one where it exists already.

        ``config`` is all that tells two trainings on one dataset apart.
        """
        key = {"run_id": run_id, "iteration": iteration, "trainer": trainer, "dataset_id": dataset_id}
        key["config_hash"] = content_hash(config or {})
        with self._connection.transaction():
            self._connection.execute(
                "INSERT INTO checkpoints (run_id, iteration, trainer, dataset_id, config_hash, config_json, base_model,"
                " start_model, path, step, complete, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?)"
                " ON CONFLICT DO UPDATE SET path = excluded.path WHERE complete = 0",
                (*key.values(), canonical_json(config or {}), base_model, start_model, path, now()),
            )
            (row,) = select_rows(self._connection, CheckpointRow, _CHECKPOINTS, key, "id")
        return row

    def finish(self, checkpoint_id: int, *, step: int, metrics: Mapping[str, Any], path: str | None = None) -> None:
        """All of the model is on disk (in ``path``, where it is not the one announced): the last thing written."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE checkpoints SET complete = 1, step = ?, metrics_json = ?, path = coalesce(?, path)"
                " WHERE id = ?",
                (step, pack_json(metrics), path, checkpoint_id),
            )
