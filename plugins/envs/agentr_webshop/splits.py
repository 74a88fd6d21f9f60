"""Tasks and splits: one task a goal, ``PREFIX_17`` being goal 17 of :func:`agentr_webshop.goals.make_goals`.

``train``, ``valid`` and ``test`` share out the *products*, so no product that is asked for in one of them is asked for
in another, and hold only goals whose ``max_reward`` is 1: the others cannot succeed. Goals of one product differ in
little but an option, so ``valid`` and ``test`` have one goal of each product, which keeps their tasks independent;
``train`` has all.

``all`` has every goal. ``original_test``, ``original_eval`` and ``original_train`` are the original's goals 0-499,
500-1499 and the rest; ``agentr_train`` and ``agentr_test`` are Agent-R's task ids, which are AgentGym's, on the goals
of the 1,000 products that both use. All of these ask for the same products on both sides (of the 91 products of
``agentr_test``, 72 are in ``agentr_train``) and contain goals that cannot reach 1.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from hashlib import blake2b
from pathlib import Path

from agentr_core import Task, UsageError, derive_seed
from agentr_webshop.goals import Goal
from agentr_webshop.product import Catalogue

#: Of the products that have goals, the share in ``valid`` and in ``test``; the rest is ``train``.
VALID_SHARE, TEST_SHARE = 0.1, 0.25
ORIGINAL_TEST, ORIGINAL_EVAL = 500, 1500
#: What the published ids count: products and options of the 6,910 goals in order (prices may differ).
PUBLISHED_GOALS = "d5c7832624d70ab4cc7a81f0c49d97cf"

_PUBLISHED = Path(__file__).parent / "data" / "splits.json"


class TaskTable:
    """The tasks of one world. ``most``: the best reward of a goal; ``prefix`` begins the keys."""

    def __init__(self, catalogue: Catalogue, goals: Sequence[Goal], most: Callable[[Goal], float], prefix: str) -> None:
        self._catalogue, self._goals, self._most, self._prefix = catalogue, goals, most, prefix
        self.tasks = lru_cache(maxsize=None)(self._tasks)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names that :meth:`tasks` takes."""
        return tuple(self._numbers)

    def task(self, key: str) -> Task:
        """The task with this key; :class:`~agentr_core.UsageError` where there is none."""
        prefix, _, number = key.rpartition("_")
        if prefix != self._prefix or not number.isascii() or not number.isdigit() or int(number) >= len(self._goals):
            keys = f"keys go from '{self._prefix}_0' to '{self._prefix}_{len(self._goals) - 1}'"
            raise UsageError(f"webshop has no task '{key}' with these settings; {keys}")
        split = next(name for name, numbers in self._numbers.items() if int(number) in numbers)
        return self._make(int(number), split)

    def number_of(self, task: Task) -> int:
        """The goal's number; :class:`~agentr_core.UsageError` for a task that is not of this world."""
        number = task.metadata.get("goal_index")
        if not isinstance(number, int) or not 0 <= number < len(self._goals):
            raise UsageError(
                f"the task '{task.key}' has the goal_index {number!r}; these settings have goals 0 to "
                f"{len(self._goals) - 1}"
            )
        return number

    def _tasks(self, split: str) -> tuple[Task, ...]:
        """The tasks of a split; :class:`~agentr_core.UsageError` where there is none of this name."""
        if split not in self._numbers:
            hint = " (AgentGym's ids are of its 1,000 products: name their folder with env.data)"
            raise UsageError(
                f"webshop has no split '{split}' with these settings; there are: {', '.join(self.splits)}"
                + (hint if split.startswith("agentr_") else "")
            )
        return tuple(self._make(number, split) for number in self._numbers[split])

    def _make(self, number: int, split: str) -> Task:
        goal = self._goals[number]
        metadata = {"goal_index": number, "max_reward": self._most(goal), "weight": goal.weight}
        return Task(key=f"{self._prefix}_{number}", split=split, instruction=goal.instruction, metadata=metadata)

    @cached_property
    def _numbers(self) -> Mapping[str, Sequence[int]]:
        """The goals of each split; sharing them out needs the best reward of every goal, so an episode does not ask."""
        count = len(self._goals)
        found: dict[str, Sequence[int]] = dict(self._by_product())
        found["all"] = range(count)
        if count > ORIGINAL_EVAL:
            found["original_train"] = range(ORIGINAL_EVAL, count)
            found["original_eval"] = range(ORIGINAL_TEST, ORIGINAL_EVAL)
            found["original_test"] = range(ORIGINAL_TEST)
        if fingerprint(self._catalogue, self._goals) == PUBLISHED_GOALS:
            found |= published_splits()
        return found

    def _by_product(self) -> Mapping[str, list[int]]:
        """Goals that can succeed, by a split of the products that is drawn by hash."""
        by_product: defaultdict[int, list[int]] = defaultdict(list)
        for number, goal in enumerate(self._goals):
            if self._most(goal) >= 1.0:
                by_product[goal.position].append(number)
        order = sorted(by_product, key=lambda position: derive_seed(0, "webshop", "split", self._asin(position)))
        valid, test = round(len(order) * VALID_SHARE), round(len(order) * TEST_SHARE)
        parts = {"train": order[valid + test :], "valid": order[:valid], "test": order[valid : valid + test]}
        taken = {name: None if name == "train" else 1 for name in parts}
        return {
            name: sorted(number for position in positions for number in by_product[position][: taken[name]])
            for name, positions in parts.items()
        }

    def _asin(self, position: int) -> str:
        return self._catalogue.products[position].asin


def fingerprint(catalogue: Catalogue, goals: Sequence[Goal]) -> str:
    """A hash of which products and options the goals ask for, in order."""
    digest = blake2b(digest_size=16)
    for goal in goals:
        digest.update(ascii((catalogue.products[goal.position].asin, goal.options)).encode())
    return digest.hexdigest()


@cache
def published_splits() -> Mapping[str, Sequence[int]]:
    """Agent-R's ids as goal numbers, in the published order."""
    ranges = json.loads(_PUBLISHED.read_text(encoding="utf-8"))
    return {name: tuple(_numbers(text)) for name, text in ranges.items()}


def _numbers(ranges: str) -> list[int]:
    """``"0-2,7"`` as ``[0, 1, 2, 7]``."""
    found: list[int] = []
    for part in ranges.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
