"""What a trainer may read besides conversations: preferences, actions and values of the trees, each with its origin.

Rows of trees are never kept a second time: a set holds how they are made, and makes them anew each time it is gone
through, one tree in memory at once (``agentr_core/train/tree_sets.py``). So a set of a million actions takes no room.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from agentr_core.interfaces.credit import WHOLE_TREE, advantage
from agentr_core.records import Completion
from agentr_core.turns import Message, TrainingSet

RowT = TypeVar("RowT")

#: What a trainer says that it reads. ``conversations`` come as a :class:`~agentr_core.turns.TrainingSet`.
Reads = Literal["conversations", "preferences", "actions", "values"]
PairKind = Literal["trajectory", "step"]


@dataclass(frozen=True, slots=True)
class PreferencePair:
    """Two ways on from one state, of which ``chosen`` came to more.

    ``prompt`` is what both share; the messages with ``train`` set are those that count: in a pair of ``trajectory``
    kind all turns of the agent behind the prompt (the best and the worst attempt from there), in one of ``step`` kind
    the first action alone, which is all that is there. ``gap``: by how much the one is better, in rewards of the ends
    or in Q, above 0. ``visits``: how many ends the less known side has below it; None where both are ends themselves,
    of which nothing is left to know. ``chosen_drawn`` and ``rejected_drawn``: what the policy drew for the turns that
    count, with token ids and log-probabilities where it told them; None for a turn that no policy drew.
    """

    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    kind: PairKind
    gap: float
    visits: int | None = None
    chosen_drawn: tuple[Completion | None, ...] = ()
    rejected_drawn: tuple[Completion | None, ...] = ()
    origin: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> list[Any]:
        """What tells pairs apart, whatever the origin."""
        turns = [_turns(part) for part in (self.prompt, self.chosen, self.rejected)]
        drawn = [_drawn(said) for said in (*self.chosen_drawn, *self.rejected_drawn)]
        return [*turns, self.kind, self.gap, self.visits, drawn]


@dataclass(frozen=True, slots=True)
class ActionRow:
    """One action of a tree that is known by at least one end below it, and how good it was.

    ``prompt`` is the conversation that it answered and ``drawn`` what was drawn (``drawn.prompt_tokens``: the length of
    the prompt as it was asked). ``q``: mean reward of the ends below; ``baseline``: mean q of the evaluated actions at
    the same state, by their copies; ``root``: mean reward of all ends of the tree. ``reach``: the probability that the
    policy comes to the state, the product of the shares on the way; ``share``: that of this action among the evaluated
    ones there, by copies.
    """

    prompt: tuple[Message, ...]
    drawn: Completion
    q: float
    baseline: float
    root: float
    reach: float = 1.0
    share: float = 1.0
    visits: int = 1
    origin: Mapping[str, Any] = field(default_factory=dict)

    def advantage(self, whole_tree: float = WHOLE_TREE) -> float:
        """How much better than its siblings, plus ``whole_tree`` times how much better than the tree's mean."""
        return advantage(self.q, self.baseline, self.root, whole_tree)

    @property
    def weight(self) -> float:
        """How often the policy takes the action: the share of the gradient that is its due."""
        return self.reach * self.share

    def content(self) -> list[Any]:
        """What tells rows apart, whatever the origin."""
        known = (self.q, self.baseline, self.root, self.reach, self.share, self.visits)
        return [_turns(self.prompt), _drawn(self.drawn), *known]


@dataclass(frozen=True, slots=True)
class ValueRow:
    """A state of a tree, as the conversation that leads to it, and the mean reward of the ``visits`` ends below it.

    ``task`` is what sets are split by; ``before``: the value of the state before the last action (None at the start).
    ``ended``: nothing comes after it.
    """

    messages: tuple[Message, ...]
    value: float
    visits: int
    task: str
    before: float | None = None
    ended: bool = False
    origin: Mapping[str, Any] = field(default_factory=dict)

    def content(self) -> list[Any]:
        """What tells rows apart, whatever the origin."""
        return [_turns(self.messages), self.value, self.visits, self.task, self.before, self.ended]


class Rows(Generic[RowT]):
    """So many rows that are made anew each time they are gone through."""

    __slots__ = ("_count", "_make")

    def __init__(self, make: Callable[[], Iterable[RowT]], count: int) -> None:
        self._make, self._count = make, count

    def __iter__(self) -> Iterator[RowT]:
        return iter(self._make())

    def __len__(self) -> int:
        return self._count


@dataclass(frozen=True)  # no slots: with them ActionSet(...) could not be called
class TreeSet(Generic[RowT]):
    """What a trainer of trees gets: named rows and the hash of their content.

    ``selection`` counts what the trees held. ``origin`` says where the rows come from, as JSON: ``models`` that grew
    the trees, ``sampling`` (``temperature`` and ``top_p``, None where it is not known), ``trees``. ``conversations``
    are those of the recipe of ``data``, where the trainer :attr:`~agentr_core.Trainer.mixes_conversations`.
    ``on_policy``: the model that training starts from grew all the trees, so that stored log-probabilities are its own.
    """

    name: str
    rows: Rows[RowT]
    content_hash: str
    selection: Mapping[str, int] = field(default_factory=dict)
    origin: Mapping[str, Any] = field(default_factory=dict)
    conversations: TrainingSet | None = None
    on_policy: bool = False

    def __len__(self) -> int:
        return len(self.rows)


PreferenceSet = TreeSet[PreferencePair]
ActionSet = TreeSet[ActionRow]
ValueSet = TreeSet[ValueRow]
AnyRow = PreferencePair | ActionRow | ValueRow
#: What a trainer may be handed, after what it reads.
AnySet = TrainingSet | PreferenceSet | ActionSet | ValueSet


def _turns(messages: Iterable[Message]) -> list[Any]:
    return [(message.role, message.content, message.train) for message in messages]


def _drawn(said: Completion | None) -> list[Any] | None:
    return None if said is None else [said.text, said.token_ids, said.logprobs, said.finish_reason, said.prompt_tokens]
