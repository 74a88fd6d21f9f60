"""Sessions: an environment each, a number nobody can guess, one request at a time, and an end when nobody asks."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import ParamSpec, TypeVar

from agentr_core import AnyEnvironment, StepResult

P = ParamSpec("P")
T = TypeVar("T")

#: Numbers are drawn below this. A server that counted from 0 would, once started again, hand out numbers that clients
#: of its former life still hold; and AgentGym's clients expect a number.
NUMBERS = 2**48


class NoSession(Exception):
    """There is no session of this number (any more)."""


class Full(Exception):
    """There are as many sessions as there may be."""


@dataclass(slots=True)
class Session:
    """One client's environment, and what it showed last."""

    number: int
    environment: AnyEnvironment
    used: float
    observation: str = ""
    score: float = 0.0
    ended: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def do(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Work on the environment, when what came before is done; in a thread where it blocks."""
        async with self.turn:
            if self.environment.blocking:
                return await asyncio.to_thread(work, *args, **kwargs)
            return work(*args, **kwargs)

    def show(self, result: StepResult) -> StepResult:
        """Remember what a step brought."""
        self.observation, self.score = result.observation, result.score
        self.ended = result.terminated or result.truncated
        return result


@dataclass(slots=True)
class Counts:
    """What happened since the server began."""

    created: int = 0
    closed: int = 0
    expired: int = 0
    refused: int = 0
    requests: int = 0
    errors: int = 0


class Sessions:
    """At most ``most`` sessions at once, each ended after ``idle`` seconds without a request (0: never).

    ``clock`` gives seconds.
    """

    def __init__(
        self,
        make: Callable[[], AnyEnvironment],
        *,
        most: int,
        idle: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make, self._most, self._idle, self._clock = make, most, idle, clock
        self._open: dict[int, Session] = {}
        self.counts = Counts()
        #: For what needs no episode: tasks, splits, words.
        self.reference = make()

    def __len__(self) -> int:
        return len(self._open)

    def open(self) -> Session:
        """A new session; :class:`Full` where there are too many."""
        if len(self._open) >= self._most:
            self.counts.refused += 1
            raise Full(f"there are {self._most} sessions already (--sessions); close some, or let idle ones expire")
        session = Session(secrets.randbelow(NUMBERS), self._make(), self._clock())
        self._open[session.number] = session
        self.counts.created += 1
        return session

    def get(self, number: object) -> Session:
        """The session of this number, which has been used just now; :class:`NoSession` where there is none."""
        session = self._open.get(number) if isinstance(number, int) else None
        if session is None:
            raise NoSession(f"The id {number} is not valid.")
        session.used = self._clock()
        return session

    async def close(self, session: Session) -> None:
        """End a session; nothing happens where it has ended already."""
        if self._open.pop(session.number, None) is not None:
            self.counts.closed += 1
            await session.do(session.environment.close)

    async def expire(self) -> int:
        """End the sessions that nobody has used for long, but for those at work; how many."""
        if not self._idle:
            return 0
        before = self._clock() - self._idle
        late = [session for session in self._open.values() if session.used < before and not session.turn.locked()]
        for session in late:
            if self._open.pop(session.number, None) is not None:
                self.counts.expired += 1
                await session.do(session.environment.close)
        return len(late)

    async def expire_for_ever(self) -> None:
        """:meth:`expire` as often as it takes that none stays more than a quarter longer than it may."""
        while self._idle:
            await asyncio.sleep(min(max(self._idle / 4, 0.05), 30.0))
            await self.expire()

    async def close_all(self) -> None:
        """End everything."""
        for session in list(self._open.values()):
            await self.close(session)
        self.reference.close()

    def told(self) -> dict[str, int]:
        """The counts, and how many sessions are open."""
        return {"open": len(self._open), **asdict(self.counts)}
