"""What work commits, as values: packed rows that can be sent anywhere and that one writer applies.

Whoever works (in this process or in another) packs what it has done into one of these; ``Store.apply`` puts it into
the file. All of them hold plain tuples of what SQLite takes, can be pickled, and may be applied twice: the second time
changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

#: The columns of one row, in the order of their table.
Values = tuple[Any, ...]
Rows = tuple[Values, ...]
#: How far a tree has been stored: simulations, and nodes.
Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Written:
    """Rows of ``texts`` and ``messages`` that an event's own rows name by their hashes and that may be new."""

    texts: Rows = ()
    messages: Rows = ()


@dataclass(frozen=True, slots=True)
class TreeGrown:
    """What one commit of a growing tree brought: it is applied to a tree that stands at ``before``, and to no other.

    ``nodes`` are whole rows, ``touched`` (flags, copies, visits, value sum, tree, node) of older ones. ``start`` is the
    head and the root's state of a tree that was new.
    """

    tree_id: int
    before: Place
    after: Place
    nodes: Rows
    touched: Rows
    written: Written
    start: tuple[bytes, str | bytes] | None = None


@dataclass(frozen=True, slots=True)
class TreeEnded:
    """A tree is complete, or has failed (which the run itself notes, once each time). Seconds add up over attempts."""

    tree_id: int
    status: Literal["done", "failed"]
    nodes: int
    best_reward: float | None
    stats_json: str | None
    error: str | None
    elapsed_seconds: float | None


@dataclass(frozen=True, slots=True)
class TreeRevised:
    """All that a critic made of one tree: rows of ``verdicts``, ``samples`` and ``preferences``, and their metrics."""

    set_id: int
    tree_id: int
    verdicts: Rows
    samples: Rows
    preferences: Rows
    metrics_json: str | None
    written: Written


@dataclass(frozen=True, slots=True)
class EpisodePlayed:
    """How one episode of an evaluation went: its row of ``eval_results``, but for the attempts that came before it.

    ``attempts`` are those of this event: 1 for an episode that failed.
    """

    eval_id: int
    task_id: int
    repeat: int
    outcome: Values
    attempts: int
    written: Written


Event = TreeGrown | TreeEnded | TreeRevised | EpisodePlayed
