"""Tasks and splits: one task a goal, numbered as AgentGym numbers them when recipe files are listed in sorted order.

``data/goals.tsv`` pins the 544 goals of Minecraft 1.16.5 with their depths, and Agent-R's published task ids are in
``data/splits.json`` as ranges of numbers. AgentGym's own numbering depends on the file system it runs on, so an id of
Agent-R's names the same *number* here, not for certain the same goal.

Splits: ``train``, ``valid`` and ``test`` share out the goals, depth by depth; ``agentr_train`` and ``agentr_test`` are
Agent-R's ids; ``adapt`` has 200 deep goals by ADaPT's rule over sorted files, deepest first (ADaPT's own run has the
same goals of depth 4 and 3 in another order, and other ones of depth 2). The last three overlap with the first three.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from agentr_core import Task, UsageError, derive_seed
from agentr_textcraft.recipes import RecipeBook, text_of

#: The book that ``data/goals.tsv`` was made from.
MINECRAFT_VERSION = "e9aba64acbecaa8e53c27fb717ebfa644bc11254d3e6c571ccdf54bf521d7fca"

#: Of each depth, the share of goals in ``valid`` and in ``test``; the rest is ``train``.
VALID_SHARE, TEST_SHARE = 0.1, 0.2
ADAPT_TASKS, ADAPT_MIN_DEPTH = 200, 2

Goals = Sequence[tuple[str, int]]
_DATA = Path(__file__).parent / "data"


class TaskTable:
    """The tasks of one recipe book. ``prefix`` begins their keys (``textcraft`` for Minecraft's own recipes)."""

    def __init__(self, book: RecipeBook, prefix: str) -> None:
        published = book.version == MINECRAFT_VERSION
        self.goals: Goals = pinned_goals() if published else [(text_of(item), depth) for item, depth in book.goals()]
        self.splits: dict[str, tuple[Task, ...]] = {}
        self._by_key: dict[str, Task] = {}
        self._by_goal: dict[str, Task] = {}
        prefix = "textcraft" if published else prefix
        for split, numbers in share_out(self.goals).items():
            self._add(split, [(f"{prefix}_{n}", n) for n in numbers])
        self._by_goal = {str(task.metadata["goal"]): task for task in self._by_key.values()}
        if published:
            for split, numbers in published_splits().items():
                self._add(split, [(f"{prefix}_{n}", n) for n in numbers])
            self._add("adapt", [(f"adapt_{k}", n) for k, n in enumerate(adapt_order(self.goals))])

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The tasks of a split; :class:`~agentr_core.UsageError` where there is none of this name."""
        if split not in self.splits:
            raise UsageError(f"textcraft has no split '{split}' in this world; there are: {', '.join(self.splits)}")
        return self.splits[split]

    def task(self, key: str) -> Task:
        """The task with this key; :class:`~agentr_core.UsageError` where there is none."""
        if key not in self._by_key:
            keys = list(self._by_key)
            raise UsageError(f"textcraft has no task '{key}' in this world; keys go from '{keys[0]}' to '{keys[-1]}'")
        return self._by_key[key]

    def task_for(self, goal: str) -> Task:
        """The task whose goal is ``goal``, a text."""
        return self._by_goal[goal]

    def _add(self, split: str, keyed: Iterable[tuple[str, int]]) -> None:
        made = []
        for key, number in keyed:
            goal, depth = self.goals[number]
            made.append(
                Task(key=key, split=split, instruction=f"craft {goal}", metadata={"goal": goal, "depth": depth})
            )
            self._by_key.setdefault(key, made[-1])
        self.splits[split] = tuple(made)


@cache
def pinned_goals() -> Goals:
    """The 544 goals of Minecraft's recipes with their depths, in AgentGym's order over sorted files."""
    rows = (line.split("\t") for line in (_DATA / "goals.tsv").read_text(encoding="utf-8").splitlines())
    return tuple((goal, int(depth)) for depth, goal in rows)


def published_splits() -> Mapping[str, list[int]]:
    """Agent-R's splits as numbers into the goals, in the published order."""
    ranges = json.loads((_DATA / "splits.json").read_text(encoding="utf-8"))
    return {name: _numbers(text) for name, text in ranges.items()}


def adapt_order(goals: Goals) -> list[int]:
    """ADaPT's rule: of the goals of depth 2 and more, deepest first, the first 200."""
    deep = [number for number, (_, depth) in enumerate(goals) if depth >= ADAPT_MIN_DEPTH]
    return sorted(deep, key=lambda number: -goals[number][1])[:ADAPT_TASKS]


def share_out(goals: Goals) -> dict[str, list[int]]:
    """Numbers of the goals in ``train``, ``valid`` and ``test``: of each depth the same shares, drawn by hash."""
    splits: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    for depth in sorted({depth for _, depth in goals}):
        numbers = [number for number, goal in enumerate(goals) if goal[1] == depth]
        numbers.sort(key=lambda number: derive_seed(0, "textcraft", "split", goals[number][0]))
        valid, test = round(len(numbers) * VALID_SHARE), round(len(numbers) * TEST_SHARE)
        splits["valid"] += numbers[:valid]
        splits["test"] += numbers[valid : valid + test]
        splits["train"] += numbers[valid + test :]
    return {name: sorted(numbers) for name, numbers in splits.items()}


def _numbers(ranges: str) -> list[int]:
    """``"0-2,7"`` as ``[0, 1, 2, 7]``."""
    found: list[int] = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
