"""The simulator's random numbers and identifiers, which are global to its process, saved and put back.

Listing the valid actions draws random numbers; with this around it, nothing that follows changes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

#: What ``java.util.Random.setSeed`` mixes into its argument (its documentation gives the formula).
_SCRAMBLE = 0x5DEECE66D
#: The end of a serialised ``java.util.Random``: a flag and a number for Gaussian draws, the state, the end mark.
_TAIL = struct.Struct(">?dqx")


class Luck(NamedTuple):
    """The generator's state and the last identifier given out."""

    state: int
    identifiers: int


class Dice:
    """What draws random numbers and gives out identifiers in one simulator."""

    def __init__(self, jvm: Any) -> None:
        self._generator = getattr(getattr(jvm.scala.util, "Random$"), "MODULE$")
        self._random = self._generator.self()
        self._identifiers = jvm.util.UniqueIdentifier

    def save(self, jvm: Any, release: Callable[..., None]) -> Luck | None:
        """What it is now; None where a Gaussian draw is pending, which could not be put back."""
        stream = jvm.java.io.ByteArrayOutputStream()
        objects = jvm.java.io.ObjectOutputStream(stream)
        objects.writeObject(self._random)
        objects.flush()
        gaussian, _, state = _TAIL.unpack(bytes(stream.toByteArray())[-_TAIL.size :])
        release(objects, stream)
        return None if gaussian else Luck(state, self._identifiers.count())

    def restore(self, luck: Luck) -> None:
        """Put back what :meth:`save` gave."""
        self._generator.setSeed(luck.state ^ _SCRAMBLE)
        getattr(self._identifiers, "count_$eq")(luck.identifiers)
