"""Right verdicts, by walking through the environment: did the action bring the goal nearer?"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentr_core import AnyEnvironment, Label, Message, Task, is_revision
from agentr_scripted.walker import Walker

_ACTION_LINE = re.compile(r"^Action: ?(.*)$", re.MULTILINE)


def judged_actions(messages: Sequence[Message]) -> list[str]:
    """The actions that a critic's question shows, in order; the last is the one it asks about.

    They are the ``Action:`` lines from ``History:`` on.
    """
    question = messages[-1].content
    return [str(action) for action in _ACTION_LINE.findall(question.partition("\nHistory:\n")[2])]


def verdict(label: Label, reason: str) -> str:
    """The answer that critics read."""
    return f"{reason}\nJudgment: {label}"


class Judge:
    """Labels actions by the environment's distance to the goal before and after."""

    def __init__(self, environment: AnyEnvironment) -> None:
        self._walker = Walker(environment)
        self._known: dict[tuple[str, tuple[str, ...]], Label] = {}

    def label(self, task: Task, actions: Sequence[str]) -> Label:
        """Good where the last action brings the goal nearer, bad where it does not; uncertain where nobody knows."""
        if not actions or is_revision(actions[-1]):
            return "uncertain"
        path = tuple(action for action in actions if not is_revision(action))
        key = (task.key, path)
        if key not in self._known:
            self._known[key] = self._measure(task, path)
        return self._known[key]

    def _measure(self, task: Task, path: Sequence[str]) -> Label:
        self._walker.walk(task, path[:-1])
        before = self._walker.environment.distance()
        result = self._walker.walk(task, path)
        after = self._walker.environment.distance()
        if result is not None and result.info.get("invalid"):
            return "bad"
        if before is None or after is None:
            return "uncertain"
        return "good" if after < before else "bad"
