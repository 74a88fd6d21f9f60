"""Whole environments, each lent to one episode from its reset to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.process.closing import closing


class EpisodePool:
    """Whole environments for episodes: each is lent to one episode from its reset to its end.

    ``limit`` bounds how many exist at once. (A tree branches its states instead and shares an
    :class:`~agentr_core.play.environment_pool.EnvironmentPool`.)
    """

    def __init__(self, make_environment: Callable[[], AnyEnvironment], *, limit: int) -> None:
        self._make, self._idle, self._free = make_environment, list[AnyEnvironment](), asyncio.Semaphore(limit)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[AnyEnvironment]:
        """An environment for one episode; one that failed is closed and not lent again."""
        async with self._free:
            environment = self._idle.pop() if self._idle else self._make()
            try:
                yield environment
            except BaseException:
                with closing(environment):
                    environment.close()
                raise
            self._idle.append(environment)

    def close(self) -> None:
        """Close the environments that are not lent."""
        while self._idle:
            environment = self._idle.pop()
            with closing(environment):
                environment.close()
