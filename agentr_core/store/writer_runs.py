"""Writing runs: their rows, plugins, stages, metrics and tasks."""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import agentr_core
from agentr_core.errors import UsageError
from agentr_core.hashing import canonical_json, content_hash
from agentr_core.records import Task
from agentr_core.store.columns import pack_json, readable
from agentr_core.store.connection import Store
from agentr_core.store.rows import PluginRow, RunRow, RunStatus, StageRow, WorkStatus
from agentr_core.store.texts import Interner

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_key() -> str:
    """A ULID: 10 digits of time (milliseconds), 16 of chance, so that keys sort by age."""
    number = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


def now() -> str:
    """The present as the store writes it: UTC, ISO 8601, milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class RunWriter:
    """What a run writes about itself."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._interner = Interner(store)

    def create_run(
        self,
        command: str,
        config: Mapping[str, Any],
        *,
        seed: int,
        name: str | None = None,
        config_hash: str | None = None,
    ) -> RunRow:
        """A new run, with this process as its owner. ``config_hash`` is that of ``config`` unless given."""
        if name == "last":
            raise UsageError("a run cannot be named 'last', which always means the newest run")
        key, time_ = new_key(), now()
        values = (key, name, command, "running", canonical_json(config), config_hash or content_hash(config), seed)
        owner = (agentr_core.__version__, socket.gethostname(), os.getpid(), time_, time_)
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO runs (key, name, command, status, config_json, config_hash, seed, agentr_version, host,"
                " pid, heartbeat_at, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, *owner),
            )
            return self._store.queries.run(key)

    def set_run_status(self, run_id: int, status: RunStatus, error: str | None = None) -> None:
        """End a run, or (``running``) take it over: this process becomes its owner."""
        if status == "running":
            self.heartbeat(run_id)
        with self._store.transaction():
            self._store.execute(
                "UPDATE runs SET status = ?, error = ?, finished_at = ? WHERE id = ?",
                (status, readable(error), None if status == "running" else now(), run_id),
            )

    def heartbeat(self, run_id: int) -> None:
        """Say that this process is alive and works on the run."""
        with self._store.transaction():
            self._store.execute(
                "UPDATE runs SET heartbeat_at = ?, host = ?, pid = ? WHERE id = ?",
                (now(), socket.gethostname(), os.getpid(), run_id),
            )

    def record_plugins(self, run_id: int, plugins: Iterable[PluginRow]) -> None:
        """Keep what code the run uses; a later row of the same kind and name replaces the earlier one."""
        rows = [
            (run_id, row.kind, row.name, row.distribution, row.version, row.target, canonical_json(row.config))
            for row in plugins
        ]
        with self._store.transaction():
            self._store.executemany("INSERT OR REPLACE INTO run_plugins VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def begin_stage(self, run_id: int, iteration: int, stage: str) -> StageRow:
        """Mark a stage as running and return its row; one that is done stays done."""
        with self._store.transaction():
            self._store.execute(
                "INSERT INTO stages (run_id, iteration, stage, status, started_at) VALUES (?, ?, ?, 'running', ?)"
                " ON CONFLICT DO UPDATE SET status = 'running' WHERE status != 'done'",
                (run_id, iteration, stage, now()),
            )
            row = self._store.queries.stage(run_id, iteration, stage)
        assert row is not None
        return row

    def finish_stage(
        self,
        run_id: int,
        iteration: int,
        stage: str,
        metrics: Mapping[str, Any] | None = None,
        *,
        result_id: int | None = None,
        status: WorkStatus = "done",
    ) -> None:
        """Close a stage that was begun; ``result_id`` is the revision set, checkpoint or evaluation that it made."""
        with self._store.transaction():
            self._store.execute(
                "UPDATE stages SET status = ?, metrics_json = ?, result_id = ?, finished_at = ?"
                " WHERE run_id = ? AND iteration = ? AND stage = ?",
                (status, pack_json(metrics), result_id, now(), run_id, iteration, stage),
            )

    def add_metrics(self, run_id: int, iteration: int, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Keep the values of some metrics at one step (an optimizer's step, or 0)."""
        rows = [(run_id, iteration, stage, name, step, value) for name, value in values.items()]
        with self._store.transaction():
            self._store.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)

    def add_tasks(self, env: str, env_version: str, tasks: Iterable[Task]) -> dict[str, int]:
        """Store the tasks that are new; the id of each by its key. Ids follow the order of ``tasks``."""
        tasks = list(tasks)
        rows = [(env, env_version, t.key, t.split, t.instruction, pack_json(t.metadata)) for t in tasks]
        with self._store.transaction():
            self._store.executemany(
                "INSERT INTO tasks (env, env_version, key, split, instruction, metadata_json)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )
            known = self._store.queries.task_ids(env, env_version)
        return {task.key: known[task.key] for task in tasks}
