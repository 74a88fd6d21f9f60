"""Environments that are lent: each whole, to one user and one thread at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.process.busy_clock import BusyClock
from agentr_core.process.closing import closing

T = TypeVar("T")

#: At most as many environments that share workers of their own are in use, each in a thread that mostly waits.
SHARING = 64


class PooledEnvironment:
    """A pooled environment and where it stands.

    ``owner`` is who used it last and ``place`` where that user left it (None: nowhere in particular). The environment
    is made when it is first used, in the thread that uses it.
    """

    __slots__ = ("_environment", "_make", "owner", "place")

    def __init__(self, make: Callable[[], AnyEnvironment]) -> None:
        self._make = make
        self._environment: AnyEnvironment | None = None
        self.owner: object = None
        self.place: Any = None

    @property
    def made(self) -> bool:
        """True once the environment exists."""
        return self._environment is not None

    @property
    def environment(self) -> AnyEnvironment:
        """The environment itself."""
        if self._environment is None:
            self._environment = self._make()
        return self._environment

    def close(self) -> None:
        """Close the environment where there is one; one that raises is a warning."""
        if self._environment is not None:
            with closing(self._environment):
                self._environment.close()


class EnvironmentPool:
    """Lends environments made by ``make_environment``, at most ``limit`` at once; :data:`SHARING` where they share
    workers of their own, whose turns they know best.

    One environment that does not block and has snapshots serves any number of trees: no more are made. An environment
    that raised is closed and replaced.
    """

    def __init__(self, make_environment: Callable[[], AnyEnvironment], *, limit: int = 1) -> None:
        self._make, self._least = make_environment, limit
        self._idle: list[PooledEnvironment] = []
        self._all: list[PooledEnvironment] = []
        self._abandoned: list[PooledEnvironment] = []
        self._turns: asyncio.Semaphore | None = None
        self._threads: ThreadPoolExecutor | None = None
        #: While any environment works.
        self.busy = BusyClock()
        self._reference: AnyEnvironment | None = None

    @property
    def reference(self) -> AnyEnvironment:
        """An environment for what needs no episode: ``parse``, ``instructions``, ``tasks``. It may be lent as well."""
        if self._reference is None:
            pooled = next((pooled for pooled in self._all if pooled.made), None)
            if pooled is None:
                pooled = self._new()
                self._idle.append(pooled)
            self._reference = pooled.environment
        return self._reference

    @property
    def _limit(self) -> int:
        return max(self._least, SHARING) if self.reference.shares_workers else self._least

    @property
    def blocking(self) -> bool:
        """True where environments are used in threads."""
        return self.reference.blocking

    async def use(self, owner: object, place: Any, work: Callable[[PooledEnvironment], T]) -> T:
        """Call ``work`` with the environment that stands nearest to ``place``; in a thread where the class blocks.

        ``place`` is None or has ``ancestors()``, from itself up; ``work`` keeps ``pooled.place`` up to date.
        """
        if not self.blocking:
            # `work` never awaits, so nothing else can want this environment meanwhile.
            pooled = self._take(owner, place)
            try:
                with self.busy:
                    result = work(pooled)
            except BaseException:
                self._discard(pooled)
                raise
            self._idle.append(pooled)
            return result
        if self._turns is None:
            self._turns = asyncio.Semaphore(self._limit)
        async with self._turns:
            with self.busy:
                return await self._use_in_thread(self._take(owner, place), work)

    async def _use_in_thread(self, pooled: PooledEnvironment, work: Callable[[PooledEnvironment], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._limit, thread_name_prefix="environment")
        try:
            result = await asyncio.get_running_loop().run_in_executor(self._threads, work, pooled)
        except asyncio.CancelledError:
            # The thread still works on this environment: it is closed when the pool is.
            self._all.remove(pooled)
            self._abandoned.append(pooled)
            raise
        except BaseException:
            self._discard(pooled)
            raise
        self._idle.append(pooled)
        return result

    def _take(self, owner: object, place: Any) -> PooledEnvironment:
        pooled = self._nearest(place)
        if pooled is None:
            pooled = self._idle[0] if self._idle and len(self._all) >= self._limit else self._new()
        if pooled in self._idle:
            self._idle.remove(pooled)
        if pooled.owner is not owner:
            pooled.owner, pooled.place = owner, None
        return pooled

    def _nearest(self, place: Any) -> PooledEnvironment | None:
        """The idle environment furthest along the way to ``place``, else one that stands nowhere."""
        if self._idle and self.reference.supports_snapshot:
            return self._idle[-1]
        standing = {id(pooled.place): pooled for pooled in self._idle if pooled.place is not None}
        if place is not None and standing:
            for ancestor in place.ancestors():
                if id(ancestor) in standing:
                    return standing[id(ancestor)]
        return next((pooled for pooled in self._idle if pooled.place is None), None)

    def _new(self) -> PooledEnvironment:
        pooled = PooledEnvironment(self._make)
        self._all.append(pooled)
        return pooled

    def _discard(self, pooled: PooledEnvironment) -> None:
        self._all.remove(pooled)
        if pooled.made and pooled.environment is self._reference:
            self._reference = None
        pooled.close()

    def vacate(self, owner: object) -> None:
        """Forget where ``owner``'s environments stand, so that the places can be freed."""
        for pooled in self._all:
            if pooled.owner is owner:
                pooled.owner = pooled.place = None

    def close(self) -> None:
        """Close every environment. May be called twice."""
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None
        for pooled in self._all + self._abandoned:
            pooled.close()
        self._idle, self._all, self._abandoned, self._reference = [], [], [], None
