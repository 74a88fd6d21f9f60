"""Task kinds, variations, numbering and splits. Nothing here needs Java.

``data/tasks.tsv`` pins the 30 kinds of ScienceWorld 1.2 in the order of their ids with the sizes of the official
train, dev and test splits, which are consecutive blocks of variations (half, a quarter, a quarter).

AgentGym numbers the variations of 23 kinds in that order, 4,639 in all (the other seven: :data:`NOT_IN_AGENTGYM`). A
task that has such a number is keyed by it (``sciworld_14``), any other by kind and variation (``grow-plant/14``);
:meth:`TaskTable.task` takes the second form, and ``1-1:14``, for every task, and ETO's ``0_14``.

Splits: ``train``, ``dev`` and ``test`` are the official ones over all 30 kinds; ``agentgym`` are the 4,639;
``agentr_test`` the 200 numbers of Agent-R's published test file; ``agentr_train`` the variations 1 to 5 of each of the
23 kinds that its search runs over. The last three overlap with the first three and, in one task, with each other.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from agentr_core import Task, UsageError

NOT_IN_AGENTGYM = frozenset({"5-1", "5-2", "9-1", "9-2", "9-3", "10-1", "10-2"})
AGENTR_TRAIN_VARIATIONS = range(1, 6)
SPLITS = ("train", "dev", "test", "agentgym", "agentr_train", "agentr_test")
_DATA = Path(__file__).parent / "data"
_NUMBERED = re.compile(r"sciworld_(\d{1,6})")
_NAMED = re.compile(r"(.+)[/:](\d{1,6})")
#: ETO's ids of trajectories are a number of its own for the kind, and the variation: ``0_17``.
_ETO = re.compile(r"(\d{1,2})_(\d{1,6})")
#: The kinds by ETO's numbers, which leave out 5.
_ETO_KINDS = {
    0: "1-1", 1: "1-4", 2: "1-3", 3: "1-2", 4: "2-2", 6: "2-1", 7: "3-1", 8: "3-2", 9: "3-3", 10: "3-4", 11: "4-4",
    12: "4-1", 13: "4-2", 14: "4-3", 15: "5-2", 16: "5-1", 17: "6-1", 18: "6-2", 19: "6-3", 20: "7-1", 21: "7-3",
    22: "7-2", 23: "8-1", 24: "8-2", 25: "9-1", 26: "9-2", 27: "9-3", 28: "10-1", 29: "10-2",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the 30 task kinds. ``start``: AgentGym's number of variation 0, None where AgentGym leaves it out."""

    id: str
    name: str
    variations: int
    train: int
    dev: int
    start: int | None

    def block(self, split: str) -> range:
        """The variations of an official split."""
        bounds = {
            "train": (0, self.train),
            "dev": (self.train, self.train + self.dev),
            "test": (self.train + self.dev, self.variations),
        }
        return range(*bounds[split])


@cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, in the order of their ids."""
    found, start = [], 0
    for line in (_DATA / "tasks.tsv").read_text(encoding="utf-8").splitlines():
        number, name, variations, train, dev, _ = line.split("\t")
        numbered = number not in NOT_IN_AGENTGYM
        found.append(Kind(number, name, int(variations), int(train), int(dev), start if numbered else None))
        start += int(variations) * numbered
    return tuple(found)


def kind_named(name: str) -> Kind:
    """The kind of this name (``boil``) or id (``1-1``); ``ValueError`` with the nearest name where there is none."""
    for kind in kinds():
        if name in (kind.name, kind.id):
            return kind
    near = difflib.get_close_matches(name, [kind.name for kind in kinds()], n=1)
    hint = f"; did you mean '{near[0]}'?" if near else ". There are: " + ", ".join(kind.name for kind in kinds())
    raise ValueError(f"there is no task kind '{name}'{hint}")


@cache
def agentr_test() -> tuple[int, ...]:
    """AgentGym's numbers of Agent-R's test tasks, in the published order."""
    return tuple(int(number) for number in (_DATA / "agentr_test.txt").read_text(encoding="utf-8").split())


class TaskTable:
    """The tasks of ``only`` some kinds (none named: all), at most ``variations`` of each in a split (0: all)."""

    def __init__(self, only: Sequence[str] = (), variations: int = 0) -> None:
        self._kinds = [kind for kind in kinds() if not only or kind.name in only]
        self._most = variations or None
        self._made: dict[str, tuple[Task, ...]] = {}

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The tasks of a split; :class:`~agentr_core.UsageError` where there is none of this name."""
        if split not in SPLITS:
            raise UsageError(f"sciworld has no split '{split}'; there are: {', '.join(SPLITS)}")
        if split not in self._made:
            self._made[split] = tuple(self._limited(make_task(kind, n, split) for kind, n in self._members(split)))
        return self._made[split]

    def _members(self, split: str) -> Iterator[tuple[Kind, int]]:
        if split == "agentr_test":
            yield from (found for number in agentr_test() if (found := numbered(number))[0] in self._kinds)
            return
        in_agentgym = split.startswith("agent")
        choose: Callable[[Kind], range] = {
            "agentgym": lambda kind: range(kind.variations),
            "agentr_train": lambda kind: AGENTR_TRAIN_VARIATIONS,
        }.get(split, lambda kind: kind.block(split))
        for kind in self._kinds:
            if kind.start is not None or not in_agentgym:
                yield from ((kind, variation) for variation in choose(kind))

    def _limited(self, tasks: Iterable[Task]) -> Iterator[Task]:
        seen: dict[str, int] = {}
        for task in tasks:
            name = str(task.metadata["task"])
            seen[name] = seen.get(name, 0) + 1
            if self._most is None or seen[name] <= self._most:
                yield task

    def task(self, key: str) -> Task:
        """The task of a key in any of its forms; :class:`~agentr_core.UsageError` where there is none."""
        if found := _NUMBERED.fullmatch(key):
            kind, variation = numbered(int(found[1]))
            return make_task(kind, variation, split_of(kind, variation))
        if found := _NAMED.fullmatch(key):
            return task_for(found[1], int(found[2]))
        if (found := _ETO.fullmatch(key)) and int(found[1]) in _ETO_KINDS:
            return task_for(_ETO_KINDS[int(found[1])], int(found[2]))
        raise UsageError(f"sciworld has no task '{key}'; a key looks like 'sciworld_14', 'boil/14' or '1-1:14'")


def task_for(name: str, variation: int) -> Task:
    """A variation of a kind; :class:`~agentr_core.UsageError` where there is no such kind or variation."""
    try:
        kind = kind_named(name)
    except ValueError as error:
        raise UsageError(f"sciworld: {error}") from None
    if not 0 <= variation < kind.variations:
        raise UsageError(
            f"sciworld: '{kind.name}' has no variation {variation}; they go from 0 to {kind.variations - 1}"
        )
    return make_task(kind, variation, split_of(kind, variation))


def numbered(number: int) -> tuple[Kind, int]:
    """Kind and variation of AgentGym's task ``number``."""
    for kind in kinds():
        if kind.start is not None and kind.start <= number < kind.start + kind.variations:
            return kind, number - kind.start
    raise UsageError(f"sciworld has no task 'sciworld_{number}'; AgentGym's numbers go from 0 to 4638")


def split_of(kind: Kind, variation: int) -> str:
    """The official split that a variation is in."""
    return next(split for split in ("train", "dev", "test") if variation in kind.block(split))


def make_task(kind: Kind, variation: int, split: str) -> Task:
    """The record of a task. Its words are the simulator's, shown with the first observation."""
    key = f"{kind.name}/{variation}" if kind.start is None else f"sciworld_{kind.start + variation}"
    return Task(
        key=key,
        split=split,
        instruction=f"{kind.name}, variation {variation}",
        metadata={"task": kind.name, "variation": variation, "id": kind.id},
    )
