"""How long something was busy, when many do it at once."""

from __future__ import annotations

import time


class BusyClock:
    """A context that any number of coroutines may be in; ``seconds`` is how long at least one was.

    Entered and left in one thread: that of the event loop.
    """

    __slots__ = ("_inside", "_since", "seconds")

    def __init__(self) -> None:
        self.seconds, self._inside, self._since = 0.0, 0, 0.0

    def __enter__(self) -> None:
        if not self._inside:
            self._since = time.perf_counter()
        self._inside += 1

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        if not self._inside:
            self.seconds += time.perf_counter() - self._since
