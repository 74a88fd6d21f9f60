"""Which tasks a server has: its task API where it has one, pages of an ``agentr serve``, or seeds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from agentr_core import EnvironmentFailure, Task, UsageError
from agentr_openenv.actions import Actions, read_schema
from agentr_openenv.config import OpenEnvConfig
from agentr_openenv.connection import Failed, page

#: Answers of a server that has no task API, or whose environment has no tasks.
_NONE = frozenset({404, 405, 422, 501})
#: Tasks asked for at once.
PAGE = 500
#: A task's words are no longer than this; the whole of it is in the metadata.
_WORDS = 500


class Catalogue:
    """The tasks of one server, and how its actions are written. Asked once, then remembered."""

    def __init__(self, config: OpenEnvConfig) -> None:
        self._config = config
        self._about = self._page("agentr")
        self.actions: Actions = read_schema((self._page("schema") or {}).get("action", {}))
        self.name, self._listed = self._names()
        described = self._page("metadata") or {}
        self.domain = str((self._about or {}).get("domain") or f"an environment named {self.name}")
        self.description = str(described.get("description") or "")
        self.version = str((self._about or {}).get("version") or described.get("version") or "unknown")
        self.tasks = lru_cache(maxsize=None)(self._tasks)
        self._told = lru_cache(maxsize=None)(self._tell)

    @property
    def ours(self) -> bool:
        """True for an ``agentr serve``."""
        return self._about is not None

    @property
    def seeded(self) -> bool:
        """True where the server lists no tasks, and seeds are taken for them."""
        return not self._listed

    def splits(self) -> Sequence[str]:
        """The server's splits; ``train`` and ``test``, with other seeds each, where it lists none."""
        return self._listed or ("train", "test")

    def task(self, key: str) -> Task:
        """The task with this key; :class:`~agentr_core.UsageError` where there is none."""
        if self.ours:
            return Task.model_validate(self._ours("agentr/task", key)["task"])
        found = next((task for split in self.splits() for task in self.tasks(split) if task.key == key), None)
        if found is None:
            raise UsageError(f"{self._config.url} has no task '{key}'; list them with: agentr tasks list")
        return found

    def address(self, task: Task) -> Mapping[str, Any]:
        """What a reset is sent to choose the task."""
        if self.ours:
            return {"key": task.key}
        chosen = task.metadata.get("reset")
        if not isinstance(chosen, dict):
            raise UsageError(f"the task '{task.key}' does not say how to reset to it (metadata reset: {chosen!r})")
        return chosen

    def instructions(self, task: Task) -> str | None:
        """What an ``agentr serve`` tells an agent; None from other servers."""
        return str(self._told(task.key)["instructions"]) if self.ours else None

    def domain_of(self, task: Task) -> str:
        """What the world of a task is called."""
        return str(self._told(task.key)["domain"]) if self.ours else self.domain

    def demonstration(self, task: Task) -> Sequence[str] | None:
        """The expert's actions that an ``agentr serve`` knows."""
        shown = self._ours("agentr/demonstration", task.key) if self.ours else None
        return None if shown is None else [str(action) for action in shown]

    def _tell(self, key: str) -> Any:
        return self._ours("agentr/task", key)

    def _tasks(self, split: str) -> Sequence[Task]:
        if split not in self.splits():
            raise UsageError(f"{self._config.url} has no split '{split}'; there are: {', '.join(self.splits())}")
        if self.seeded:
            first = 0 if split == "train" else 1_000_000
            return [self._seed(split, first + number) for number in range(self._config.tasks)]
        specs: list[Any] = []
        count = int(self._page(f"{self.name}/num_tasks", {"split": split})["num_tasks"])
        while len(specs) < count:
            asked = {"split": split, "start": len(specs), "stop": min(len(specs) + PAGE, count)}
            found = self._page(f"{self.name}/task_range", asked)
            if found is None:
                found = self._page(f"{self.name}/tasks", {"split": split})
                specs = []
            if not found or not found["tasks"]:
                break
            specs += found["tasks"]
        return [self._listed_task(split, index, spec) for index, spec in enumerate(specs)]

    def _listed_task(self, split: str, index: int, spec: Any) -> Task:
        if self.ours:
            return Task.model_validate(spec)
        told = spec if isinstance(spec, dict) else {"task": spec}
        words = next((told[name] for name in ("instruction", "prompt", "question", "goal") if told.get(name)), spec)
        text = words if isinstance(words, str) else json.dumps(words)
        chosen = {"reset": {"split": split, "index": index}, "spec": told}
        return Task(key=f"{self.name}_{split}_{index}", split=split, instruction=text[:_WORDS], metadata=chosen)

    def _seed(self, split: str, seed: int) -> Task:
        key = f"{self.name}_seed_{seed}"
        return Task(key=key, split=split, instruction=f"{self.name}, seed {seed}", metadata={"reset": {"seed": seed}})

    def _names(self) -> tuple[str, tuple[str, ...]]:
        """The environment's name, and its splits where it has a task API."""
        names = self._page("list_environments")
        if not isinstance(names, list) or not names:
            return self._config.env or "openenv", ()
        name = self._config.env or str(names[0])
        if name.lower() not in (str(each).lower() for each in names):
            there = ", ".join(map(str, names))
            raise UsageError(f"openenv.env: {self._config.url} has no environment '{name}'; there are: {there}")
        splits = self._page(f"{name}/splits")
        return name, tuple(str(each["name"] if isinstance(each, dict) else each) for each in splits or ())

    def _ours(self, path: str, key: str) -> Any:
        from urllib.parse import urlencode

        try:
            return page(self._config.url, self._config.timeout, f"{path}?{urlencode({'key': key})}")
        except Failed as failed:
            if failed.away:
                raise EnvironmentFailure(str(failed), passing=True) from None
            raise UsageError(str(failed)) from None

    def _page(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """A page of the server; None where it has no such page."""
        try:
            return page(self._config.url, self._config.timeout, path, body)
        except Failed as failed:
            if failed.status in _NONE:
                return None
            raise EnvironmentFailure(str(failed), passing=failed.away) from None
