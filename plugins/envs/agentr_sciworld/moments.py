"""Moments of episodes: what was executed since the start, literally, and what it showed.

The literal list of inputs is the state, ambiguity prompts and unparsable inputs included: the simulator consumes random
numbers for some of them and answers a digit differently after others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

#: What every episode begins with, as the official ``reset`` does.
FIRST_INPUT = "look around"


class Begin(NamedTuple):
    """Where an episode starts: kind, variation, simplifications (comma separated)."""

    kind: str
    variation: int
    simplifications: str = ""


class Seen(NamedTuple):
    """What an input brought. ``score``: 0 to 100, or -100 where the task has failed; ``moves``: of the simulator."""

    observation: str
    score: int
    completed: bool
    moves: int


class Moment:
    """``text`` was executed after ``parent`` and showed ``observation``; without a parent, the task was just loaded.

    ``key`` (16 bytes) is equal where the task and all inputs are. ``depth`` counts the inputs. ``wanted``: somebody
    may come back here, so a simulator that leaves it keeps a snapshot of it.
    """

    __slots__ = ("begin", "depth", "key", "observation", "parent", "text", "wanted")

    def __init__(self, begin: Begin, parent: Moment | None, text: str, observation: str) -> None:
        self.begin, self.parent, self.text, self.observation = begin, parent, text, observation
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.key: bytes = _key(b"" if parent is None else parent.key, text)
        self.wanted = False

    @classmethod
    def start(cls, begin: Begin, description: str = "") -> Moment:
        """A task just loaded, whose words are ``description``."""
        return cls(begin, None, repr(tuple(begin)), description)

    @classmethod
    def opening(cls, begin: Begin) -> Moment:
        """What every episode begins with; its observations are not known yet."""
        return cls.start(begin).after(FIRST_INPUT, "")

    def after(self, text: str, observation: str) -> Moment:
        """The moment after one more input."""
        return Moment(self.begin, self, text, observation)

    def back(self) -> Iterator[Moment]:
        """This moment, the one before it, and so on up to the loading."""
        moment: Moment | None = self
        while moment is not None:
            yield moment
            moment = moment.parent

    def inputs(self) -> list[str]:
        """All inputs from the loading to here."""
        return [moment.text for moment in self.back() if moment.parent is not None][::-1]


def _key(before: bytes, text: str) -> bytes:
    return hashlib.blake2b(before + text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
