"""A plugin that does something in the run's own process once so many trees have ended: ``actions[3] = function``."""

from __future__ import annotations

from collections.abc import Callable

from agentr_core import TreeFinished, hookimpl

actions: dict[int, Callable[[], object]] = {}
ended: list[int] = []


@hookimpl
def agentr_tree_finished(event: TreeFinished) -> None:
    ended.append(event.tree)
    if action := actions.pop(len(ended), None):
        action()
