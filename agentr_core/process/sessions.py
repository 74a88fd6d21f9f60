"""Work in a session that somebody else keeps, a server or a process, and that may be lost at any time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from agentr_core.errors import EnvironmentFailure

T = TypeVar("T")

#: Seconds between two attempts at the most, however often something was away already.
LONGEST_WAIT = 10.0


class SessionLost(Exception):
    """Work in a session came to nothing. ``away``: who keeps it was not reached, or broke off, and may be back."""

    def __init__(self, said: str, *, away: bool = False) -> None:
        super().__init__(said)
        self.away = away


def persistently(work: Callable[[], T], *, give_up: Callable[[], None], retries: int, wait: float) -> T:
    """What ``work`` gives; where its session is lost (:class:`SessionLost`), it is done again, ``retries`` times more.

    ``give_up`` lets go of the lost session. ``work`` then has another one, which it brings to where the episode stood:
    a state elsewhere is gone, and the actions that led to it are known. What was ``away`` is waited for, ``wait``
    seconds the first time and twice as long each time after. Blocks; for an environment whose class is ``blocking``.

    Raises :class:`~agentr_core.errors.EnvironmentFailure` after the last attempt, passing where it was away.
    """
    for attempt in range(retries + 1):
        try:
            return work()
        except SessionLost as lost:
            give_up()
            if attempt == retries:
                raise EnvironmentFailure(str(lost), passing=lost.away) from None
            if lost.away:
                time.sleep(pause(wait, attempt))
    raise AssertionError("the last attempt returns or raises")


def pause(wait: float, attempt: int) -> float:
    """Seconds after the failed attempt of this number, from 0: doubled each time, at most :data:`LONGEST_WAIT`."""
    return float(min(wait * 2**attempt, LONGEST_WAIT))
