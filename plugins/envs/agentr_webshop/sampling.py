"""Drawing that is the same in every version of Python: of its generator only ``random`` is."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Sampler:
    """Draws for one product."""

    def __init__(self, rng: random.Random) -> None:
        self.share = rng.random

    def below(self, bound: int) -> int:
        """A number from 0 to ``bound - 1``."""
        return int(self.share() * bound)

    def pick(self, options: Sequence[T]) -> T:
        """One of ``options``."""
        return options[int(self.share() * len(options))]

    def some(self, options: Sequence[T], least: int, most: int) -> list[T]:
        """``least`` to ``most`` different ``options`` (fewer where there are fewer), in their own order."""
        missing = min(least + self.below(most - least + 1), len(options))
        found = []
        for left, option in zip(range(len(options), 0, -1), options, strict=True):
            if self.share() * left < missing:
                found.append(option)
                missing -= 1
        return found
