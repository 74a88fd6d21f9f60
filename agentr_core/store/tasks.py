"""Tasks: those of each environment that a search or an evaluation has met."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core.records import Task
from agentr_core.store.columns import pack_json
from agentr_core.store.connection import Connection
from agentr_core.store.rows import TaskRow
from agentr_core.store.selecting import row_by_id, select_rows

_TASKS = "SELECT * FROM tasks"


class Tasks:
    """The tasks of the store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def select(
        self, *, env: str | None = None, env_version: str | None = None, split: str | None = None
    ) -> list[TaskRow]:
        """The tasks stored so far, by id."""
        where = {"env": env, "env_version": env_version, "split": split}
        return select_rows(self._connection, TaskRow, _TASKS, where, "id")

    def get(self, task_id: int) -> TaskRow:
        """One task."""
        return row_by_id(self._connection, TaskRow, _TASKS, task_id, "task")

    def save(self, env: str, env_version: str, tasks: Iterable[Task]) -> dict[str, int]:
        """Store the tasks that are new; the id of each by its key. Ids follow the order of ``tasks``."""
        tasks = list(tasks)
        rows = [(env, env_version, t.key, t.split, t.instruction, pack_json(t.metadata)) for t in tasks]
        with self._connection.transaction():
            self._connection.executemany(
                "INSERT INTO tasks (env, env_version, key, split, instruction, metadata_json)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                rows,
            )
            known = self._ids(env, env_version)
        return {task.key: known[task.key] for task in tasks}

    def _ids(self, env: str, env_version: str) -> dict[str, int]:
        """The ids of the stored tasks of an environment, by key."""
        rows = self._connection.all("SELECT key, id FROM tasks WHERE env = ? AND env_version = ?", (env, env_version))
        return {row["key"]: row["id"] for row in rows}
