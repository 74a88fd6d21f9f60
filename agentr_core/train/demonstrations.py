"""Conversations that others published, as demonstrations of tasks: AgentGym's AgentTraj-L, ETO's trajectories.

Each is matched to a task and played again there; what is trained on, and what was found, is told with its reasons.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agentr_core.errors import EnvironmentFailure, NothingToDo
from agentr_core.play.worlds import World
from agentr_core.records import Task
from agentr_core.train.conversation_files import ReadConversations, read_conversations
from agentr_core.train.demonstration_replay import Outcome, Replay, failed, replay, without_note
from agentr_core.train.demonstration_tasks import Format, Matched, TaskFinder, item_of, opening_text
from agentr_core.turns import Example, Message

#: Why a conversation is left out, beside what :mod:`conversation_shapes` says of it.
NOTHING_TRAINED = "no turn to train"
NO_TASK, NO_ID, NOT_EXACT = "about no task of the environment", "without an id", "not played again exactly"
#: Outcomes in the order in which they are told, and in words.
OUTCOMES: dict[Outcome, str] = {
    "exact": "played again exactly",
    "other": "played again, with differences",
    "broken": "cannot be played to the end here",
}


@dataclass(frozen=True, slots=True)
class Demonstration:
    """One conversation of a file: its ``place`` there, its id (empty where it has none), its task and its replay."""

    place: int
    item: str
    task: Task
    matched: Matched
    replayed: Replay

    def example(self, file: str, unit: str, env: str) -> Example:
        """It as a training conversation, which says where it comes from."""
        origin: dict[str, Any] = {"file": file, unit: self.place, "item": self.item, "env": env}
        origin |= {"task": self.task.key, "split": self.task.split, "matched": self.matched}
        origin |= {"replay": self.replayed.outcome, "reward": self.replayed.reward}
        return Example(self.replayed.messages, "good", origin)


@dataclass(frozen=True, slots=True)
class Imported:
    """The demonstrations of a file that are kept; ``read`` has what was skipped by reason, those without a task too."""

    file: str
    read: ReadConversations
    found: tuple[Demonstration, ...] = field(repr=False)

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many came out how."""
        counts = Counter(each.replayed.outcome for each in self.found)
        return {outcome: counts[outcome] for outcome in OUTCOMES}

    @property
    def successes(self) -> int:
        """How many bring reward 1 here."""
        return sum(each.replayed.reward >= 1.0 for each in self.found)

    def exact(self) -> Imported:
        """Those alone that were played again exactly; the others are counted as skipped."""
        kept = tuple(each for each in self.found if each.replayed.difference is None)
        left = [each.place for each in self.found if each.replayed.difference is not None]
        return Imported(self.file, _without(self.read, dict.fromkeys(left, NOT_EXACT)), kept)

    def examples(self, env: str) -> list[Example]:
        """What to train on, in the order of the file."""
        return [each.example(self.file, self.read.unit, env) for each in self.found]

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON."""
        differences = Counter(each.replayed.why for each in self.found if each.replayed.why)
        return {
            "file": self.file,
            **self.read.as_dict(),
            "matched": dict(Counter(each.matched for each in self.found)),
            "replay": self.outcomes,
            "differences": dict(differences),
            "successes": self.successes,
        }


@dataclass(frozen=True, slots=True)
class Match:
    """A conversation and the task that it is about; ``reward`` is what its file says that it brought."""

    place: int
    item: str
    messages: tuple[Message, ...]
    reward: float | None
    task: Task
    matched: Matched


def match_tasks(path: str | Path, world: World, form: Format = "auto") -> tuple[ReadConversations, list[Match]]:
    """The conversations of a file that are about tasks of ``world``, and what was skipped by reason.

    Raises :class:`~agentr_core.errors.UsageError` for a file that cannot be read, and
    :class:`~agentr_core.errors.NothingToDo` where none of its conversations is about a task of the environment.
    """
    read, finder = read_conversations(path), TaskFinder(world.environment)
    found, reasons = list[Match](), dict[int, str]()
    for place, messages, besides in zip(read.places, read.conversations, read.besides, strict=True):
        match = _match(finder, place, without_note(messages), besides, form)
        if isinstance(match, Match):
            found.append(match)
        else:
            reasons[place] = match
    read = _without(read, reasons)
    if not found:
        raise NothingToDo(
            f"'{path}' has no demonstration for '{world.name}': {read.describe()}; name another --env or --format"
        )
    return read, found


def _match(
    finder: TaskFinder, place: int, messages: tuple[Message, ...], besides: Mapping[str, Any], form: Format
) -> Match | str:
    """A conversation with its task, or why it is left out."""
    if not any(message.train for message in messages):
        return NOTHING_TRAINED
    item, reward = item_of(besides, form), besides.get("reward")
    found = finder.find(item, opening_text(messages))
    if found is None:
        return NO_ID if item is None else NO_TASK
    return Match(place, item or "", messages, float(reward) if isinstance(reward, int | float) else None, *found)


async def play_again(world: World, matches: Sequence[Match], advance: Callable[[], None]) -> tuple[Demonstration, ...]:
    """Each conversation played again in its task; ``advance`` is called after each."""

    async def play(match: Match) -> Demonstration:
        replayed = await _replayed(world, match)
        advance()
        return Demonstration(match.place, match.item, match.task, match.matched, replayed)

    return tuple(await asyncio.gather(*map(play, matches)))


async def _replayed(world: World, match: Match) -> Replay:
    try:
        async with world.episodes.lend() as environment:
            return await replay(environment, match.task, match.messages, match.reward)
    except EnvironmentFailure as failure:
        return failed(match.messages, failure)


def _without(read: ReadConversations, reasons: dict[int, str]) -> ReadConversations:
    """The same file with the conversations of some places skipped, each for its reason."""
    rows = zip(read.places, read.conversations, read.besides, strict=True)
    left: Sequence[Any] = [row for row in rows if row[0] not in reasons]
    skipped, first = Counter(read.skipped), dict(read.first)
    for place, reason in reasons.items():
        skipped[reason] += 1
        first.setdefault(reason, place)
    places, conversations, besides = zip(*left, strict=True) if left else ((), (), ())
    return replace(
        read, places=places, conversations=conversations, besides=besides, skipped=dict(skipped), first=first
    )
