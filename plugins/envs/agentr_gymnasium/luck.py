"""The global random generators, which many environments draw from: each episode has its own state of them.

What an episode draws is then a function of its seed and its actions, and nothing of it reaches the program around it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

#: States of ``random`` and of ``numpy.random``.
State = tuple[Any, Any]


class Luck:
    """The global generators of one episode; ``state`` is what they are at its last action."""

    def __init__(self) -> None:
        self.state: State | None = None

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The episode's generators are the global ones inside, the program's own again after."""
        outside = _save()
        if self.state is not None:
            _restore(self.state)
        try:
            yield
        finally:
            self.state = _save()
            _restore(outside)


def seed_everything(seed: int) -> None:
    """Begin the global generators anew; to be called inside :meth:`Luck.in_place`."""
    random.seed(seed)
    np.random.seed(seed % 2**32)


def _save() -> State:
    return random.getstate(), np.random.get_state()


def _restore(state: State) -> None:
    random.setstate(state[0])
    np.random.set_state(state[1])
