"""Small sets of each kind to try a trainer on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentr_core.hashing import content_hash
from agentr_core.interfaces.training_sets import (
    ActionRow,
    ActionSet,
    AnyRow,
    AnySet,
    PreferencePair,
    PreferenceSet,
    Reads,
    Rows,
    TreeSet,
    ValueRow,
    ValueSet,
)
from agentr_core.records import Completion
from agentr_core.turns import Example, Message, TrainingSet

TAILS = ("Action: stop", "1234567890!?")
#: Of these kinds a row ends with what is trained.
NOTHING_BEHIND: tuple[Reads, ...] = ("actions", "values")

_GOOD, _BAD = "Thought: I count.\nAction: add 1", "Action: jump"


def toy_set(reads: Reads, size: int = 32, *, tail: str = TAILS[0]) -> AnySet:
    """A set of what a trainer reads, of ``size`` rows; ``tail`` stands behind what is trained, where anything does."""
    match reads:
        case "preferences":
            return toy_preferences(size, tail=tail)
        case "actions":
            return toy_actions(size)
        case "values":
            return toy_values(size)
    return toy_dataset(size, tail=tail)


def toy_dataset(size: int = 32, *, tail: str = TAILS[0]) -> TrainingSet:
    """Short conversations: two trained turns of the agent between untrained ones; ``tail`` is the last of those."""
    examples = tuple(
        Example(
            (
                *_asked(number),
                Message("assistant", _BAD),
                Message("user", "'jump' is not an action."),
                Message("assistant", _GOOD, train=True),
                Message("user", "You are at 2."),
                Message("assistant", "Thought: Once more.\nAction: add 2", train=True),
                Message("user", "You are at 4."),
                Message("assistant", tail),
            ),
            "good",
        )
        for number in range(size)
    )
    return TrainingSet("toy", examples, content_hash([[turn.content for turn in each.messages] for each in examples]))


def toy_preferences(size: int = 32, *, tail: str = TAILS[0]) -> PreferenceSet:
    """To count against to jump: pairs of single actions and of attempts, in turn; ``tail`` is an observation behind."""

    def pair(number: int) -> PreferencePair:
        chosen, rejected = (Message("assistant", said, train=True) for said in (_GOOD, _BAD))
        drawn = (Completion(text=_GOOD),), (Completion(text=_BAD),)
        origin = {"task": f"count-{number % 8}", "tree": number % 8}
        if number % 2:
            return PreferencePair(_asked(number), (chosen,), (rejected,), "step", 0.5, 3, *drawn, origin)
        seen = Message("user", tail)
        return PreferencePair(_asked(number), (chosen, seen), (rejected, seen), "trajectory", 1.0, None, *drawn, origin)

    return _tree_set([pair(number) for number in range(size)])


def toy_actions(size: int = 32) -> ActionSet:
    """To count, which is better than its siblings, and to jump, which is worse, in turn; no log-probabilities."""

    def row(number: int) -> ActionRow:
        good = number % 2 == 0
        drawn = Completion(text=_GOOD if good else _BAD)
        origin = {"task": f"count-{number % 8}", "tree": number % 8, "state": number // 2, "siblings": 2}
        return ActionRow(_asked(number), drawn, float(good), 0.5, 0.5, share=0.5, origin=origin)

    return _tree_set([row(number) for number in range(size)])


def toy_values(size: int = 32) -> ValueSet:
    """States after counting, which are worth 1, and after jumping, which are worth nothing, in turn."""

    def row(number: int) -> ValueRow:
        good = number % 2 == 0
        turns = (*_asked(number), Message("assistant", _GOOD if good else _BAD), Message("user", "You see."))
        return ValueRow(turns, float(good), 4, f"count-{number % 8}", 0.5, origin={"tree": number % 8})

    return _tree_set([row(number) for number in range(size)])


def _asked(number: int) -> tuple[Message, ...]:
    return Message("system", "You count."), Message("user", f"Count to {number % 8}.")


def _tree_set(rows: Sequence[AnyRow]) -> TreeSet[Any]:
    sampling = {"temperature": 1.0, "top_p": 1.0}
    digest = content_hash([row.content() for row in rows])
    return TreeSet("toy", Rows(lambda: rows, len(rows)), digest, {"rows": len(rows)}, {"sampling": sampling})
