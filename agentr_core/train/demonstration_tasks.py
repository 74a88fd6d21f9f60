"""Which task of an environment a published conversation is about: by its id, else by the words of its opening.

AgentGym's AgentTraj-L names it ``item_id`` ("textcraft_12"), ETO ``id`` (a number, a text) or ``game_file``. Numbers
of two copies of one world need not mean the same task (AgentGym numbers recipes in the order in which the file system
lists them), so that a task whose words stand in the opening comes before one that has the number alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any, Literal

from agentr_core.errors import EnvironmentFailure, UsageError, boundary
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.records import Task
from agentr_core.train.demonstration_replay import opening_of
from agentr_core.turns import Message

#: ``auto``: whichever name a conversation's id has.
Format = Literal["auto", "agenttraj", "eto"]
Matched = Literal["id", "words"]
_NAMES: Mapping[Format, tuple[str, ...]] = {
    "auto": ("item_id", "id", "game_file"), "agenttraj": ("item_id",), "eto": ("id", "game_file"),
}  # fmt: skip


def item_of(besides: Mapping[str, Any], form: Format) -> str | None:
    """The id under which a conversation's file knows its task; None where it has none of this form."""
    found = next((name for name in _NAMES[form] if besides.get(name) not in (None, "")), None)
    if found is None:
        return None
    value = str(besides[found]).strip()
    return PurePosixPath(value).name if found == "game_file" else value


def opening_text(messages: Sequence[Message]) -> str:
    """What a conversation says before the agent acts: in which the task's words stand."""
    return "\n".join(message.content for message in messages[: opening_of(messages)])


class TaskFinder:
    """Finds the tasks of one environment."""

    def __init__(self, environment: AnyEnvironment) -> None:
        self._environment = environment

    def find(self, item: str | None, opening: str) -> tuple[Task, Matched] | None:
        """The task of an item whose conversation opens with ``opening``, and how it was found; None where none is.

        Raises :class:`~agentr_core.errors.EnvironmentFailure` where the environment cannot list its tasks.
        """
        by_id = self._by_id(item) if item else None
        if by_id is not None and _words(by_id.instruction) in _words(opening):
            return by_id, "id"
        if (by_words := self._by_words(opening)) is not None:
            return by_words, "words"
        return (by_id, "id") if by_id is not None else None

    def _by_id(self, item: str) -> Task | None:
        for key in (item, *(f"{prefix}_{item}" for prefix in (self._prefixes if item.isdecimal() else ()))):
            with boundary(EnvironmentFailure, f"task('{key}')"), suppress(UsageError):
                return self._environment.task(key)
        return None

    @cached_property
    def _prefixes(self) -> Sequence[str]:
        """What the environment's keys have before their number, those of its first split first."""
        return tuple(dict.fromkeys(key for task in self._tasks if (key := task.key.rpartition("_")[0])))

    def _by_words(self, opening: str) -> Task | None:
        """The task with the longest instruction that stands in the opening; keys of one instruction are one task."""
        said = _words(opening)
        found = [words for words in self._by_instruction if words in said]
        return self._by_instruction[max(found, key=len)] if found else None

    @cached_property
    def _by_instruction(self) -> Mapping[str, Task]:
        """The first task of each instruction, as words between blanks."""
        first: dict[str, Task] = {}
        for task in self._tasks:
            if words := _words(task.instruction):
                first.setdefault(words, task)
        return {words: task for words, task in first.items() if words.strip()}

    @cached_property
    def _tasks(self) -> Sequence[Task]:
        with boundary(EnvironmentFailure, "listing the environment's tasks"):
            return [task for split in self._environment.splits() for task in self._environment.tasks(split)]


def _words(text: str) -> str:
    """Letters and digits in lower case between single blanks, with one at each end: ``in`` then finds whole words."""
    return f" {' '.join(''.join(letter if letter.isalnum() else ' ' for letter in text.casefold()).split())} "
