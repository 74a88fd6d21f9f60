"""Runs: what was started with which configuration and plugins, its stages, and what was measured along the way."""

from __future__ import annotations

import difflib
import json
import os
import secrets
import socket
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import agentr_core
from agentr_core.errors import NothingToDo, UsageError
from agentr_core.hashing import canonical_json, content_hash
from agentr_core.process.file_lock import is_held
from agentr_core.store.columns import now, pack_json, readable
from agentr_core.store.connection import Connection
from agentr_core.store.rows import MetricRow, Pace, PluginRow, RunRow, RunStatus, StageRow, WorkStatus
from agentr_core.store.selecting import row_by_id, select_rows
from agentr_core.store.tasks import version_of

_RUNS = "SELECT * FROM runs"
_STAGES = "SELECT * FROM stages"
_SECONDS = "86400.0 * (julianday(s.finished_at) - julianday(s.started_at))"
#: What a run may be asked to have.
Having = Literal["trees", "revisions", "datasets", "checkpoints", "evaluations"]
_HAVING: dict[Having, str] = {
    "trees": "trees WHERE n_nodes > 0",
    "revisions": "revision_sets WHERE status = 'done'",
    "datasets": "datasets WHERE 1",
    "checkpoints": "checkpoints WHERE complete = 1",
    "evaluations": "evals WHERE status = 'done'",
}
_NEWEST = "SELECT run_id FROM {} ORDER BY run_id DESC LIMIT 1"
#: A reference shorter than this names runs by the start of their keys alone.
_LEAST_END = 4
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new_key() -> str:
    """A ULID: 10 digits of time (milliseconds), 16 of chance, so that keys sort by age."""
    return _as_key(time.time_ns() // 1_000_000 << 80 | secrets.randbits(80))


def shared_key(identity: object) -> str:
    """The key of a run that begins in several databases at once: the same wherever the same is asked for."""
    return _as_key(int(content_hash(identity), 16))


def _as_key(number: int) -> str:
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


class Runs:
    """The runs of the store: their rows, plugins, stages and metrics."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def select(self, *, status: RunStatus | None = None) -> list[RunRow]:
        """All runs, newest first."""
        return select_rows(self._connection, RunRow, _RUNS, {"status": status}, "id DESC")

    def find(self, reference: str, having: Having | None = None) -> RunRow:
        """The run of this name, of this key or the start or end of one; ``last`` is the newest run.

        Where ``having`` names what is asked of the run, ``last`` is the newest that has any of it, if one does.

        Raises :class:`~agentr_core.errors.NothingToDo` where there are no runs at all, and
        :class:`~agentr_core.errors.UsageError` where none is meant, or more than one.
        """
        last = reference == "last"
        if not last and (run := self._called(reference)):
            return run
        if last and (newest := self._newest(having)):
            return newest
        runs = self.select()
        if not runs:
            raise NothingToDo(f"there are no runs in {self._connection.path} yet; start one with: agentr run")
        part = reference.upper()
        ends = len(part) >= _LEAST_END
        matches = [run for run in runs if part and (run.key.startswith(part) or (ends and run.key.endswith(part)))]
        if len(matches) > 1:
            raise UsageError(f"'{reference}' is part of several runs' keys: {', '.join(run.key for run in matches)}")
        if not matches:
            raise UsageError(_unknown_run(reference, runs))
        return matches[0]

    def _called(self, reference: str) -> RunRow | None:
        """The run of exactly this name or key."""
        both: list[dict[str, Any]] = [{"name": reference}, {"key": reference}]
        found = (select_rows(self._connection, RunRow, _RUNS, where, "id") for where in both)
        return next((rows[-1] for rows in found if rows), None)

    def _newest(self, having: Having | None) -> RunRow | None:
        """The newest run that has what is asked, else the newest."""
        found = self._connection.one(_NEWEST.format(_HAVING[having])) if having else None
        found = found or self._connection.one("SELECT max(id) FROM runs")
        return self.get(found[0]) if found and found[0] else None

    def get(self, run_id: int) -> RunRow:
        """The run with this number."""
        return row_by_id(self._connection, RunRow, _RUNS, run_id, "run")

    def lock_file(self, run: RunRow) -> Path:
        """The file that whoever works on the run holds a lock on (:mod:`agentr_core.process.file_lock`)."""
        path = self._connection.path.absolute()
        return path.with_name(f"{path.name}.{run.key}.lock")

    def is_alive(self, run: RunRow) -> bool:
        """True while a process works on the run: its lock is held, whatever number the process has, or had."""
        return run.status == "running" and is_held(self.lock_file(run))

    def state(self, run: RunRow) -> str:
        """The status of a run; ``killed`` where nobody works on it and it has not said how it ended."""
        return "killed" if run.status == "running" and not self.is_alive(run) else run.status

    def create(
        self,
        command: str,
        config: Mapping[str, Any],
        *,
        seed: int,
        name: str | None = None,
        config_hash: str | None = None,
        key: str | None = None,
    ) -> RunRow:
        """A new run, with this process as its owner. ``config_hash`` is that of ``config`` unless given.

        ``key`` is a new one unless given: parts of one run in several databases share theirs (:func:`shared_key`).

        Raises :class:`~agentr_core.errors.UsageError` for a name that another run has: either would answer to it.
        """
        if name == "last":
            raise UsageError("a run cannot be named 'last', which always means the newest run")
        key, name = key or new_key(), readable(name)
        values = (key, name, command, "running", canonical_json(config), config_hash or content_hash(config), seed)
        owner = (agentr_core.__version__, socket.gethostname(), os.getpid(), now())
        with self._connection.transaction():
            if name is not None and (taken := select_rows(self._connection, RunRow, _RUNS, {"name": name}, "id DESC")):
                raise UsageError(
                    f"--name {name}: run {taken[0].short} is called so already; choose another name, or go on with "
                    f"that run: agentr resume {name}"
                )
            if same := select_rows(self._connection, RunRow, _RUNS, {"key": key}, "id"):
                raise UsageError(f"run {same[0].short} is here already; go on with it: agentr resume {same[0].short}")
            self._connection.execute(
                "INSERT INTO runs (key, name, command, status, config_json, config_hash, seed, agentr_version, host,"
                " pid, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, *owner),
            )
            (row,) = select_rows(self._connection, RunRow, _RUNS, {"key": key}, "id")
        return row

    def forget(self, run_id: int) -> None:
        """Take out a run that has not begun anything: its row and its plugins'. One with a stage stays."""
        begun = "SELECT 1 FROM stages WHERE run_id = ?1"
        with self._connection.transaction():
            self._connection.execute(f"DELETE FROM run_plugins WHERE run_id = ?1 AND NOT EXISTS ({begun})", (run_id,))
            self._connection.execute(f"DELETE FROM runs WHERE id = ?1 AND NOT EXISTS ({begun})", (run_id,))

    def set_status(self, run_id: int, status: RunStatus, error: str | None = None) -> None:
        """End a run, or (``running``) take it over: this process becomes its owner."""
        with self._connection.transaction():
            if status == "running":
                owner = (socket.gethostname(), os.getpid(), run_id)
                self._connection.execute("UPDATE runs SET host = ?, pid = ? WHERE id = ?", owner)
            self._connection.execute(
                "UPDATE runs SET status = ?, error = ?, finished_at = ? WHERE id = ?",
                (status, readable(error), None if status == "running" else now(), run_id),
            )

    def plugins(self, run_id: int) -> list[PluginRow]:
        """What code a run used, by kind and name."""
        return select_rows(self._connection, PluginRow, "SELECT * FROM run_plugins", {"run_id": run_id}, "kind, name")

    def save_plugins(self, run_id: int, plugins: Iterable[PluginRow]) -> None:
        """Keep what code the run was begun with: a row of the same kind and name that is there already stays."""
        rows = [
            (run_id, row.kind, row.name, row.distribution, row.version, row.target, canonical_json(row.config))
            for row in plugins
        ]
        with self._connection.transaction():
            self._connection.executemany("INSERT OR IGNORE INTO run_plugins VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def env_versions(self, run_id: int, env: str) -> list[str]:
        """The versions of an environment in which the run's tasks were searched or evaluated; usually one, or none."""
        found = self._connection.all(
            "SELECT DISTINCT env_version FROM tasks WHERE env = ? AND id IN (SELECT task_id FROM trees WHERE run_id = ?"
            " UNION SELECT r.task_id FROM eval_results r JOIN evals e ON e.id = r.eval_id WHERE e.run_id = ?)",
            (env, run_id, run_id),
        )
        return sorted({version_of(row["env_version"]) for row in found})

    def stages(self, run_id: int, *, stage: str | None = None) -> list[StageRow]:
        """The stages of a run (those of one name) by iteration, in the order they follow each other."""
        order = "iteration, instr('search revise train evaluate', stage), stage"
        return select_rows(self._connection, StageRow, _STAGES, {"run_id": run_id, "stage": stage}, order)

    def stage(self, run_id: int, iteration: int, stage: str) -> StageRow | None:
        """One stage, or None where it was never begun."""
        where = {"run_id": run_id, "iteration": iteration, "stage": stage}
        return next(iter(select_rows(self._connection, StageRow, _STAGES, where, "stage")), None)

    def open_stage(self, run_id: int, iteration: int, stage: str) -> StageRow:
        """Mark a stage as running and return its row; one that is done stays done."""
        with self._connection.transaction():
            self._connection.execute(
                "INSERT INTO stages (run_id, iteration, stage, status, started_at) VALUES (?, ?, ?, 'running', ?)"
                " ON CONFLICT DO UPDATE SET status = 'running' WHERE status != 'done'",
                (run_id, iteration, stage, now()),
            )
            row = self.stage(run_id, iteration, stage)
        assert row is not None
        return row

    def reopen_stage(self, run_id: int, iteration: int, stage: str) -> None:
        """A stage is to be done again; what it has made is kept, and kept apart from what it makes then."""
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE stages SET status = 'todo', finished_at = NULL"
                " WHERE run_id = ? AND iteration = ? AND stage = ?",
                (run_id, iteration, stage),
            )

    def move_stage(self, run_id: int, iteration: int, stage: str, share: float | None, left: float | None) -> None:
        """How far a stage at work is, 0 to 1, and the seconds that it still takes; None for what is not known.

        It stands in the place of the stage's metrics, as ``under_way``, until the stage ends.
        """
        told = None if share is None else {"under_way": {"share": round(share, 4), "seconds_left": left}}
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE stages SET metrics_json = ?"
                " WHERE run_id = ? AND iteration = ? AND stage = ? AND status = 'running'",
                (pack_json(told), run_id, iteration, stage),
            )

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
        with self._connection.transaction():
            self._connection.execute(
                "UPDATE stages SET status = ?, metrics_json = ?, result_id = ?, finished_at = ?"
                " WHERE run_id = ? AND iteration = ? AND stage = ?",
                (status, pack_json(metrics), result_id, now(), run_id, iteration, stage),
            )

    def search_pace(self, model: str, env: str, searcher_hash: str) -> Pace | None:
        """The fastest search stage of a model with the same environment and searcher; None where there is none.

        The fastest, since the time that a stage was interrupted for counts as well.
        """
        found = self._connection.all(
            f"SELECT s.run_id, s.iteration, count(*) AS items, {_SECONDS} AS seconds FROM stages s"
            " JOIN trees t ON t.run_id = s.run_id AND t.iteration = s.iteration JOIN tasks k ON k.id = t.task_id"
            " WHERE s.stage = 'search' AND s.status = 'done' AND t.model = ? AND k.env = ? AND t.searcher_hash = ?"
            " GROUP BY s.run_id, s.iteration",
            (model, env, searcher_hash),
        )
        return _pace(found)

    def evaluation_pace(self, model: str, settings: Mapping[str, Any], env: Mapping[str, Any]) -> Pace | None:
        """As :meth:`search_pace`, for stages that evaluated a model under the same settings."""
        found = self._connection.all(
            f"SELECT e.config_json, count(*) AS items, {_SECONDS} AS seconds FROM stages s JOIN evals e"
            " ON e.id = s.result_id JOIN eval_results r ON r.eval_id = e.id"
            " WHERE s.stage = 'evaluate' AND s.status = 'done' AND e.model = ? GROUP BY e.id",
            (model,),
        )
        wanted = {**settings, "env": env, "tasks": None}
        alike = [row for row in found if wanted.items() <= {**json.loads(row["config_json"]), "tasks": None}.items()]
        return _pace(alike)

    def accounts(self, run_id: int) -> dict[tuple[int, str], dict[str, int]]:
        """What went otherwise than it should, by iteration and stage (``account.py`` says what the names mean)."""
        found: dict[tuple[int, str], dict[str, int]] = {}
        sql = "SELECT iteration, stage, name, count FROM accounts WHERE run_id = ? ORDER BY iteration, stage, name"
        for row in self._connection.all(sql, (run_id,)):
            found.setdefault((row["iteration"], row["stage"]), {})[row["name"]] = row["count"]
        return found

    def save_account(self, run_id: int, iteration: int, stage: str, counts: Mapping[str, int]) -> None:
        """Keep the account of a stage, in place of an earlier one; what is 0 is no row."""
        rows = [(run_id, iteration, stage, name, count) for name, count in counts.items() if count]
        with self._connection.transaction():
            where = (run_id, iteration, stage)
            self._connection.execute("DELETE FROM accounts WHERE run_id = ? AND iteration = ? AND stage = ?", where)
            self._connection.executemany("INSERT INTO accounts VALUES (?, ?, ?, ?, ?)", rows)

    def metrics(
        self, run_id: int, *, iteration: int | None = None, stage: str | None = None, name: str | None = None
    ) -> list[MetricRow]:
        """Metrics of a run, by iteration, stage, name and step."""
        where = {"run_id": run_id, "iteration": iteration, "stage": stage, "name": name}
        return select_rows(self._connection, MetricRow, "SELECT * FROM metrics", where, "iteration, stage, name, step")

    def save_metrics(self, run_id: int, iteration: int, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Keep the values of some metrics at one step (an optimizer's step, or 0)."""
        rows = [(run_id, iteration, stage, name, step, value) for name, value in values.items()]
        with self._connection.transaction():
            self._connection.executemany("INSERT OR REPLACE INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)


def _pace(rows: Iterable[sqlite3.Row]) -> Pace | None:
    paces = [Pace(row["items"], row["seconds"]) for row in rows if row["seconds"]]
    return min(paces, key=lambda pace: pace.seconds / pace.items, default=None)


def _unknown_run(reference: str, runs: Sequence[RunRow], shown: int = 5) -> str:
    labels = [run.name or run.short for run in runs]
    near = difflib.get_close_matches(reference, labels, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    more = f" and {len(runs) - shown} more" if len(runs) > shown else ""
    return f"no run is called '{reference}'.{hint} The last ones: {', '.join(labels[:shown])}{more}."
