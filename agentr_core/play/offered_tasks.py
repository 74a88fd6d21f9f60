"""The tasks of an environment, asked for so that one that raises is named."""

from __future__ import annotations

from agentr_core.errors import EnvironmentFailure, boundary
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.records import Task


def offered_tasks(environment: AnyEnvironment, split: str) -> list[Task]:
    """The tasks of ``split``. Raises :class:`~agentr_core.errors.EnvironmentFailure` where the environment raises."""
    with boundary(EnvironmentFailure, f"'{type(environment).__name__}' could not list the tasks of '{split}'"):
        return list(environment.tasks(split))
