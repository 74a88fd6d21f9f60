"""Tasks: those of each environment that a search or an evaluation has met."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from agentr_core.hashing import content_hash
from agentr_core.store.columns import pack_json
from agentr_core.store.connection import Connection
from agentr_core.store.rows import TaskRow
from agentr_core.store.selecting import row_by_id, select_rows

if TYPE_CHECKING:
    from agentr_core.records import Task

_TASKS = "SELECT * FROM tasks"
#: Between an environment's version and the content of a task that is not the one stored under its key.
_BESIDE = " · "
#: Characters of that content's hash.
_DIGITS = 12


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
        """Store the tasks that are new; the id of each by its key. Ids follow the order of ``tasks``.

        A task is told apart by its content: where another one of this key is stored (the environment's settings or code
        have changed, its version has not), this one is stored beside it, under a version that names its content.
        """
        tasks = list(tasks)
        with self._connection.transaction():
            ids = self._save([(env_version, task) for task in tasks], env)
            stored = {row.id: row for row in self.select(env=env, env_version=env_version)}
            other = [task for task in tasks if not _same(stored[ids[task.key]], task)]
            return ids | self._save([(f"{env_version}{_BESIDE}{_content(task)}", task) for task in other], env)

    def _save(self, tasks: Sequence[tuple[str, Task]], env: str) -> dict[str, int]:
        rows = [(env, version, t.key, t.split, t.instruction, pack_json(t.metadata)) for version, t in tasks]
        self._connection.executemany(
            "INSERT INTO tasks (env, env_version, key, split, instruction, metadata_json)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            rows,
        )
        known = {
            (row["env_version"], row["key"]): row["id"]
            for row in self._connection.all("SELECT env_version, key, id FROM tasks WHERE env = ?", (env,))
        }
        return {task.key: known[version, task.key] for version, task in tasks}


def version_of(stored: str) -> str:
    """The environment's own version out of what a task is stored under."""
    head, mark, content = stored.rpartition(_BESIDE)
    return head if mark and len(content) == _DIGITS else stored


def _content(task: Task) -> str:
    return content_hash([task.split, task.instruction, task.metadata])[:_DIGITS]


def _same(row: TaskRow, task: Task) -> bool:
    return _content(row.task()) == _content(task)
