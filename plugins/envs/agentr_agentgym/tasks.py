"""Which tasks there are: what an ``agentr serve`` tells, or the ids of AgentGym's own server.

AgentGym's servers list nothing: a task is a number into a list that only they have. ``data/splits.json`` has the ids of
AgentGym's evaluation (AgentEval) as far as they are published as numbers; ``train`` is all the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from agentr_agentgym.config import AgentGymConfig
from agentr_agentgym.connection import Connection, Failed, NoSuchPage
from agentr_agentgym.servers import SERVERS
from agentr_core import EnvironmentFailure, Task, UsageError

_DATA = Path(__file__).parent / "data" / "splits.json"
_RANGE = re.compile(r"(\d+)(?:-(\d+))?")


class Numbered:
    """The tasks of one of AgentGym's own servers: numbers."""

    version = "agentgym"

    def __init__(self, config: AgentGymConfig) -> None:
        self._name, self._count = config.server, SERVERS[config.server].tasks
        test = read_ids(config.test, "test") if config.test else published(config.server)
        self._splits: dict[str, Sequence[int]] = {"all": range(self._count)}
        if config.train:
            self._splits["train"] = read_ids(config.train, "train")
        elif rest := sorted(set(range(self._count)) - set(test)):
            self._splits["train"] = rest
        if test:
            self._splits["test"] = test

    def splits(self) -> Sequence[str]:
        """``all`` ids, ``train``, and ``test`` where its ids are known."""
        return tuple(self._splits)

    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split; :class:`~agentr_core.UsageError` where there is none of this name."""
        if split not in self._splits:
            hint = "" if split != "test" else f"; AgentGym's list for {self._name} is not published as numbers, "
            hint += "give yours with agentgym.test" if hint else ""
            raise UsageError(f"there is no split '{split}' of {self._name}; there are: {', '.join(self._splits)}{hint}")
        return [self._make(number, split) for number in self._splits[split]]

    def task(self, key: str) -> Task:
        """The task with this key, ``alfworld_17``."""
        name, _, number = key.rpartition("_")
        if name != self._name or not (number.isascii() and number.isdigit()):
            raise UsageError(f"{self._name} has no task '{key}'; keys look like '{self._name}_17'")
        split = next((split for split in ("test", "train") if int(number) in self._splits.get(split, ())), "all")
        return self._make(int(number), split)

    def address(self, task: Task) -> Mapping[str, Any]:
        """What ``/reset`` is sent for a task."""
        index = task.metadata.get("index")
        if not isinstance(index, int):
            raise UsageError(f"the task '{task.key}' has no id of {self._name} (metadata index: {index!r})")
        return {SERVERS[self._name].index_field: index}

    def _make(self, number: int, split: str) -> Task:
        key = f"{self._name}_{number}"
        return Task(key=key, split=split, instruction=f"{self._name}, task {number}", metadata={"index": number})


class Offered:
    """The tasks that an ``agentr serve`` tells: keys, splits and words are those of its environment."""

    def __init__(self, config: AgentGymConfig, about: Mapping[str, Any]) -> None:
        self._config, self._server = config, SERVERS[config.server]
        self.version, self._splits = str(about["version"]), tuple(str(split) for split in about["splits"])
        self.tasks = lru_cache(maxsize=None)(self._tasks)
        self._tell = lru_cache(maxsize=None)(self._told)
        self._index: dict[str, int | None] = {}

    def splits(self) -> Sequence[str]:
        """Those of its environment."""
        return self._splits

    def task(self, key: str) -> Task:
        """The task with this key; :class:`~agentr_core.UsageError` where there is none."""
        return self._made(self._ask("agentr/task", key=key))

    def address(self, task: Task) -> Mapping[str, Any]:
        """What ``/reset`` is sent for a task: its number where it has one, else its key."""
        if task.key not in self._index:
            self.task(task.key)
        number = self._index[task.key]
        return {"key": task.key} if number is None else {self._server.index_field: number}

    def instructions(self, task: Task) -> str:
        """What the environment tells an agent."""
        return str(self._tell(task.key)["instructions"])

    def domain(self, task: Task) -> str:
        """What the environment calls its world."""
        return str(self._tell(task.key)["domain"])

    def demonstration(self, task: Task) -> Sequence[str] | None:
        """The environment's own."""
        shown = self._ask("agentr/demonstration", key=task.key)
        return None if shown is None else [str(action) for action in shown]

    def _tasks(self, split: str) -> Sequence[Task]:
        if split not in self._splits:
            raise UsageError(f"the server has no split '{split}'; there are: {', '.join(self._splits)}")
        return [self._made(told) for told in self._ask("agentr/tasks", split=split)]

    def _made(self, told: Mapping[str, Any]) -> Task:
        task = Task.model_validate(told["task"])
        self._index[task.key] = told["index"]
        return task

    def _told(self, key: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._ask("agentr/task", key=key)
        return found

    def _ask(self, path: str, **query: str) -> Any:
        """Ask on a connection of its own: several threads may."""
        connection = Connection(self._config.url, self._config.timeout)
        try:
            return connection.get(f"{self._server.under}{path}", query)
        except Failed as failed:
            if failed.away:
                raise EnvironmentFailure(str(failed), passing=True) from None
            raise UsageError(str(failed)) from None
        finally:
            connection.close()


def catalogue(config: AgentGymConfig) -> Numbered | Offered:
    """What there is to do at a server; one that tells nothing is one of AgentGym's own."""
    connection = Connection(config.url, config.timeout)
    try:
        about = connection.get(f"{SERVERS[config.server].under}agentr", {})
    except NoSuchPage:
        return Numbered(config)
    except Failed as failed:
        raise EnvironmentFailure(str(failed), passing=failed.away) from None
    finally:
        connection.close()
    return Offered(config, about)


@cache
def published(server: str) -> Sequence[int]:
    """The ids of AgentGym's evaluation in their published order; none where they are not known as numbers."""
    found = json.loads(_DATA.read_text(encoding="utf-8")).get(server, "")
    return tuple(_numbers(found.split(","))) if found else ()


def read_ids(given: str, setting: str) -> Sequence[int]:
    """Ids out of ``0-99,120`` or a file: such ranges, a line or several, or AgentGym's JSON of ``item_id``.

    Raises :class:`~agentr_core.UsageError` where it is neither.
    """
    text = given
    if not _RANGE.match(given):
        try:
            text = Path(given).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"agentgym.{setting}: '{given}' is no list of ids and cannot be read ({error.strerror}); "
                             "give ranges such as 0-99,120 or a file of ids") from None  # fmt: skip
    try:
        if text.lstrip().startswith("["):
            items = [row["item_id"] if isinstance(row, dict) else row for row in json.loads(text)]
            return [int(str(item).rpartition("_")[2]) for item in items]
        return list(_numbers(text.replace(",", " ").split()))
    except (ValueError, KeyError):
        raise UsageError(
            f"agentgym.{setting}: '{given[:60]}' has something in it that is no id; give ranges such as 0-99,120, or "
            'a JSON list of numbers or of {"item_id": "NAME_17"}'
        ) from None


def _numbers(parts: Iterable[str]) -> Iterable[int]:
    for part in parts:
        found = _RANGE.fullmatch(part.strip())
        if found is None:
            raise ValueError(part)
        yield from range(int(found[1]), int(found[2] or found[1]) + 1)
