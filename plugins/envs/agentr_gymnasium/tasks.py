"""Tasks: a seed is a task, and a range of seeds a split."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentr_core import Task, UsageError
from agentr_gymnasium.config import SPLITS

_KEY = re.compile(r"seed_(\d{1,18})")


class TaskTable:
    """The tasks of ``splits`` (name: first and last seed; none given: :data:`SPLITS`) of the environment ``name``.

    ``count``: there are only so many seeds (game files), from 0 on; None: any number.
    """

    def __init__(self, name: str, splits: Mapping[str, tuple[int, int]], count: int | None = None) -> None:
        self._name, self._count = name, count
        self.splits = {split: range(first, last + 1) for split, (first, last) in (splits or SPLITS).items()}
        if count is not None and not splits:
            self.splits = _shared_out(count)
        beyond = [split for split, seeds in self.splits.items() if count is not None and seeds.stop > count]
        if beyond:
            raise UsageError(
                f"gymnasium.splits.{beyond[0]}: there are only {count} game files, and their numbers begin with 0"
            )

    def tasks(self, split: str) -> tuple[Task, ...]:
        """The tasks of a split; :class:`~agentr_core.UsageError` where there is none of this name."""
        if split not in self.splits:
            raise UsageError(f"gymnasium has no split '{split}'; there are: {', '.join(self.splits)}")
        return tuple(self._task(seed, split) for seed in self.splits[split])

    def task(self, key: str) -> Task:
        """The task of a key such as ``seed_17``; :class:`~agentr_core.UsageError` where there is none."""
        found = _KEY.fullmatch(key)
        seed = int(found[1]) if found else 0
        if found is None or (self._count is not None and seed >= self._count):
            raise UsageError(f"gymnasium has no task '{key}'; a key is a seed, such as 'seed_17'")
        return self._task(seed, next((split for split, seeds in self.splits.items() if seed in seeds), "other"))

    def _task(self, seed: int, split: str) -> Task:
        return Task(key=f"seed_{seed}", split=split, instruction=f"{self._name}, seed {seed}", metadata={"seed": seed})


def _shared_out(count: int) -> dict[str, range]:
    """A tenth each, at least one as far as they go, to ``valid`` and ``test``, from the end; the rest is ``train``."""
    tenth = max(1, count // 10)
    train = max(1, count - 2 * tenth)
    test = range(max(train, count - tenth), count)
    return {"train": range(train), "valid": range(train, test.start), "test": test}
