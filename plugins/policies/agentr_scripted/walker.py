"""An environment that is walked from place to place of one episode after another."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core import AnyEnvironment, StepResult, Task


class Walker:
    """Brings ``environment`` to where a task stands after some actions; steps only the rest where it can."""

    def __init__(self, environment: AnyEnvironment) -> None:
        self.environment = environment
        self._task: str | None = None
        self._done: list[str] = []
        self._last: StepResult | None = None

    def walk(self, task: Task, actions: Sequence[str]) -> StepResult | None:
        """Stand after ``actions``; the last one's result, None where there is none. Actions after the end are left."""
        if self._task != task.key or self._done != list(actions[: len(self._done)]):
            self.environment.reset(task)
            self._task, self._done, self._last = task.key, [], None
        for action in actions[len(self._done) :]:
            if self._last is not None and (self._last.terminated or self._last.truncated):
                break
            self._last = self.environment.step(action)
            self._done.append(action)
        return self._last
