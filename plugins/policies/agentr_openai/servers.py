"""Several servers of one model: who is asked, who is busy, who is down.

A tree's session stays with one server, whose prefix cache holds the tree's turns, while that is up
(:class:`~agentr_core.Placement`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from agentr_core import Placement
from agentr_openai.failures import Failure

#: Failures in a row after which a server that can be reached counts as down.
STRIKES = 3


class Server:
    """One base URL. ``load`` counts the requests that wait for it or are in flight.

    ``one_by_one``: it has given fewer samples than a request asked for, or refused to give several.
    ``answered``: it has given an answer, so it takes the key.
    """

    def __init__(self, url: str, concurrency: int) -> None:
        self.url = url
        self.load = 0
        self.one_by_one = False
        self.answered = False
        self.strikes = 0
        self.down_until = 0.0
        self.quiet_until = 0.0
        self._slots = asyncio.Semaphore(concurrency)

    @asynccontextmanager
    async def slot(self, clock: Callable[[], float]) -> AsyncIterator[None]:
        """A place among the requests in flight, first come first served, after any wait the server asked for."""
        self.load += 1
        try:
            async with self._slots:
                while (wait := self.quiet_until - clock()) > 0:
                    await asyncio.sleep(wait)
                yield
        finally:
            self.load -= 1


class Servers:
    """All servers; ``clock`` gives seconds."""

    def __init__(
        self, urls: Sequence[str], concurrency: int, down_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.all = [Server(url, concurrency) for url in urls]
        self.clock = clock
        self._down_seconds = down_seconds
        self._placement = Placement[Server](name=lambda server: server.url, load=lambda server: server.load)

    def pick(self, session: str) -> Server:
        """The session's server; a new one where it has none or it is down."""
        now = self.clock()
        up = [server for server in self.all if server.down_until <= now]
        # With all of them down there is nothing better than the one that is tried again soonest.
        return self._placement.place(session, up or [min(self.all, key=lambda server: server.down_until)])

    def succeeded(self, server: Server) -> None:
        """It answered: it is up."""
        server.strikes, server.down_until, server.answered = 0, 0.0, True

    def failed(self, server: Server, failure: Failure) -> None:
        """An attempt failed: leave the server alone as long as it asks, or out for a while where it seems down."""
        now = self.clock()
        if failure.wait is not None:
            server.quiet_until = max(server.quiet_until, now + failure.wait)
            return
        server.strikes += failure.retry
        if failure.down or server.strikes >= STRIKES:
            server.strikes, server.down_until = 0, now + self._down_seconds

    def is_down(self, server: Server) -> bool:
        """True while it is left out."""
        return server.down_until > self.clock()

    def others_up(self, server: Server) -> bool:
        """True where another server is not known to be down."""
        now = self.clock()
        return any(other is not server and other.down_until <= now for other in self.all)
