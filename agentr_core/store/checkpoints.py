"""Checkpoints: the models that trainers made, or are about to make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentr_core.hashing import canonical_json, content_hash
from agentr_core.store import places
from agentr_core.store.columns import now, pack_json
from agentr_core.store.connection import Connection
from agentr_core.store.rows import CheckpointRow
from agentr_core.store.selecting import row_by_id, select_rows

#: What the seconds that a training took are called among its metrics.
TRAINING_SECONDS = "training_seconds"
_CHECKPOINTS = "SELECT * FROM checkpoints"


class Checkpoints:
    """The checkpoints of the store. Folders are kept by their place beside the database."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._home = places.home(connection.path)

    def kept(self, folder: str | Path) -> str:
        """How a folder is kept: from the database's folder on where it lies below, so that both can be moved."""
        return places.kept(folder, self._home)

    def found(self, folder: str) -> str:
        """Where a folder that was kept so is now."""
        return places.found(folder, self._home)

    def kept_model(self, name: str) -> str:
        """As :meth:`kept` for a model's path; its short name or hub id as it is."""
        return places.kept_model(name, self._home)

    def found_model(self, name: str) -> str:
        """As :meth:`found` for a model's absolute path; anything else as it is."""
        return places.found_model(name, self._home)

    def is_model(self, made: CheckpointRow, name: str) -> bool:
        """Whether a model of this name is the checkpoint; older databases have absolute paths, and may have moved."""
        return name == self.kept(made.path) or self.found_model(name) == made.path

    def _read(self, row: CheckpointRow) -> CheckpointRow:
        base, start = places.found_model(row.base_model, self._home), places.found_model(row.start_model, self._home)
        return replace(row, path=self.found(row.path), base_model=base, start_model=start)

    def select(
        self, run_id: int | None = None, *, iteration: int | None = None, complete: bool | None = None
    ) -> list[CheckpointRow]:
        """Checkpoints in the order they were begun."""
        where = {"run_id": run_id, "iteration": iteration, "complete": complete}
        return [self._read(row) for row in select_rows(self._connection, CheckpointRow, _CHECKPOINTS, where, "id")]

    def get(self, checkpoint_id: int) -> CheckpointRow:
        """One checkpoint."""
        return self._read(row_by_id(self._connection, CheckpointRow, _CHECKPOINTS, checkpoint_id, "checkpoint"))

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
                (*key.values(), canonical_json(config or {}), base_model, start_model, self.kept(path), now()),
            )
            (row,) = select_rows(self._connection, CheckpointRow, _CHECKPOINTS, key, "id")
        return self._read(row)

    def save_metrics(self, checkpoint_id: int, metrics: Mapping[str, Any]) -> None:
        """What is known of a training that has not come to its end."""
        with self._connection.transaction():
            values = (pack_json(metrics), checkpoint_id)
            self._connection.execute("UPDATE checkpoints SET metrics_json = ? WHERE id = ?", values)

    def finish(self, checkpoint_id: int, *, step: int, metrics: Mapping[str, Any], path: str | None = None) -> None:
        """All of the model is on disk (in ``path``, where it is not the one announced): the last thing written."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE checkpoints SET complete = 1, step = ?, metrics_json = ?, path = coalesce(?, path)"
                " WHERE id = ?",
                (step, pack_json(metrics), None if path is None else self.kept(path), checkpoint_id),
            )
