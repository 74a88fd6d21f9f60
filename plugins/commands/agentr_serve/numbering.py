"""AgentGym names a task by a number. Here number N is the task ``PREFIX_N``, as agentr's environments key them.

TextCraft's, ScienceWorld's and WebShop's numbers are AgentGym's own. An environment with other keys is numbered
through: its splits one after the other.
"""

from __future__ import annotations

import re
from functools import cached_property

from agentr_core import AnyEnvironment, Task, UsageError

_NUMBERED = re.compile(r"(.+)_(\d+)")


class Numbering:
    """The numbers of one environment's tasks."""

    def __init__(self, environment: AnyEnvironment) -> None:
        self._environment = environment

    def task(self, number: int) -> Task:
        """The task of this number; :class:`~agentr_core.UsageError` where there is none."""
        if self._prefix:
            return self._environment.task(f"{self._prefix}_{number}")
        if not 0 <= number < len(self._all):
            raise UsageError(f"there is no task {number}; they go from 0 to {len(self._all) - 1}")
        return self._all[number]

    def number(self, task: Task) -> int | None:
        """The number of a task, None where it has none."""
        found = _NUMBERED.fullmatch(task.key)
        if self._prefix:
            return int(found[2]) if found and found[1] == self._prefix else None
        return self._numbers.get(task.key)

    @cached_property
    def _prefix(self) -> str:
        """What the keys of the first split have before their number; empty where they are no numbered ones."""
        for split in self._environment.splits():
            if tasks := self._environment.tasks(split):
                found = _NUMBERED.fullmatch(tasks[0].key)
                return found[1] if found else ""
        return ""

    @cached_property
    def _all(self) -> list[Task]:
        splits = self._environment.splits()
        return list({task.key: task for split in splits for task in self._environment.tasks(split)}.values())

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {task.key: number for number, task in enumerate(self._all)}
