"""The workers of a run: each pulls the jobs that it has room for, and one writer stores what all of them commit.

    stage -- do(job) --> waiting --> worker        worker -- events --> queue --> one transaction a group --> stage

The queue is bounded and read by the writer alone: where the disk is slow, workers wait. Nothing of a worker that dies
is lost but what it had not committed: its jobs begin again, with what is stored, at another one. A worker that is told
to go commits the simulations at hand first, and no job has failed by it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from agentr_core.errors import AgentrError, NoWorkers, WorkerLost
from agentr_core.interfaces.executor import AnyExecutor, WorkerLink
from agentr_core.process.closing import closing
from agentr_core.store import Store
from agentr_core.store.events import Event
from agentr_core.workers.messages import (
    Back,
    Broken,
    Did,
    Ended,
    Job,
    Leaving,
    Message,
    Ready,
    Setting,
    Stop,
    Want,
    error_of,
    pack,
    unpack,
)

#: How often a job is begun before it fails with the worker that died over it.
ATTEMPTS = 3
#: Messages that wait for the writer, and how many of them it takes into one transaction.
QUEUE, GROUP = 256, 64
#: Seconds between two looks at whether the user has interrupted.
LOOK_SECONDS = 0.2
#: Seconds after which the user is told that the first worker is waited for: it may have to find a place first.
PATIENCE_SECONDS = 20.0
#: Seconds without a word after which the user is told, and after which a worker counts as gone; one that has nothing to
#: say says so more often.
UNEASY_SECONDS, SILENCE_SECONDS = 90.0, 600.0


@dataclass(eq=False, slots=True)
class _Asked:
    """A job that somebody waits for; ``make`` makes it of what is stored at that moment."""

    make: Callable[[], Job]
    told: Callable[[Event], None] | None
    answer: asyncio.Future[Any]


@dataclass(eq=False, slots=True)
class _Member:
    number: int
    link: WorkerLink | None = None
    ready: bool = False
    leaving: bool = False
    wants: int = 0
    heard: float = 0.0
    told: bool = False
    held: dict[int, _Asked] = field(default_factory=dict)


#: A member, and what it said: its end is said with the error that tells of it.
_Said = tuple[_Member, Message | AgentrError]


class Crew:
    """The workers that ``executor`` starts, from :meth:`open` to :meth:`close`.

    ``stopped`` is asked now and then whether the work is being interrupted; ``say`` tells the user what to know.
    """

    def __init__(
        self,
        executor: AnyExecutor,
        setting: Setting,
        store: Store,
        *,
        concurrency: int,
        stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._executor, self._store, self._stopped, self._say = executor, store, stopped, say
        self._size = max(1, executor.workers)
        #: How many jobs keep all workers busy: what they have room for, and one more for each.
        self.room = concurrency + self._size
        self._setting = pack(replace(setting, in_flight=max(1, ceil(concurrency / self._size))))
        self._inbox: asyncio.Queue[_Said] = asyncio.Queue(QUEUE)
        self._waiting: deque[_Asked] = deque()
        self._members: list[_Member] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._begun = asyncio.Event()
        self._problem: Exception | None = None
        self._stopping = False
        self._jobs = self._started = self._lost_in_a_row = 0

    @property
    def size(self) -> int:
        """How many workers can work now."""
        return sum(member.ready and not member.leaving for member in self._members)

    async def open(self) -> None:
        """Start the workers and wait for the first that can begin; raises what keeps it from beginning."""
        self._go(self._write())
        for _ in range(self._size):
            self._start_one()
        asked, told = time.monotonic(), False
        while not self._begun.is_set() and not self._stopped():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._begun.wait(), LOOK_SECONDS)
            if not told and not self._begun.is_set() and time.monotonic() - asked > PATIENCE_SECONDS:
                self._say(f"no worker is there yet; waiting for the first of {self._size}")
                told = True
        if self._problem is not None:
            raise self._problem

    async def do(self, make: Callable[[], Job], told: Callable[[Event], None] | None) -> Any:
        """Have a job done by whoever has room for it; what came of it, or None where the run is interrupted before.

        ``told`` gets its events once they are stored. Raises what ended the job there, and
        :class:`~agentr_core.errors.AgentrError` where worker after worker died over it.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._once(make, told)
            except WorkerLost as lost:
                if attempt == ATTEMPTS:
                    raise AgentrError(f"{ATTEMPTS} workers died over it; the last: {lost}") from None
        return None

    async def close(self) -> None:
        """End all workers at once; what they have not committed is begun again another time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(member.link.close() for member in self._members if member.link is not None))
        self._members.clear()
        with closing(self._executor):
            await self._executor.close()

    async def _once(self, make: Callable[[], Job], told: Callable[[Event], None] | None) -> Any:
        if self._problem is not None:
            raise self._problem
        if self._stopping:
            return None
        asked = _Asked(make, told, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        self._hand_out()
        try:
            return await asked.answer
        finally:
            if asked in self._waiting:  # cancelled before anybody had it
                self._waiting.remove(asked)

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _start_one(self) -> None:
        self._started += 1
        member = _Member(self._started)
        self._members.append(member)
        self._go(self._listen(member))

    async def _listen(self, member: _Member) -> None:
        """Start a worker and hand on all it says, up to its end."""
        try:
            member.link = await self._executor.start(member.number, self._setting)
            while True:
                limit = SILENCE_SECONDS if member.ready else None
                async with asyncio.timeout(limit):
                    data = await member.link.receive()
                await self._inbox.put((member, unpack(data)))
        except TimeoutError:
            await self._inbox.put((member, WorkerLost(f"it has said nothing for {SILENCE_SECONDS:g} s")))
        except AgentrError as error:
            await self._inbox.put((member, error))
        except Exception as error:  # an executor raises what it likes
            await self._inbox.put((member, AgentrError(f"{type(error).__name__}: {error}")))

    async def _write(self) -> None:
        """The one writer: all that is there goes into one transaction, then whoever waits for it is told."""
        try:
            while True:
                self._take(await self._said())
                if self._stopped() and not self._stopping:
                    self._stop()
                if self._inbox.empty():  # else it may be we who have not listened
                    self._tell_of_silence(time.monotonic())
                self._hand_out()
        except Exception as error:
            self._break(error)

    async def _said(self) -> Sequence[_Said]:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                said = [await self._inbox.get()]
        except TimeoutError:
            return ()
        while len(said) < GROUP and not self._inbox.empty():
            said.append(self._inbox.get_nowait())
        return said

    def _tell_of_silence(self, now: float) -> None:
        for member in self._members:
            if member.ready and not member.told and now - member.heard > UNEASY_SECONDS:
                member.told = True
                self._say(
                    f"warning: worker {member.number} has said nothing for {UNEASY_SECONDS:g} s; "
                    f"what it has begun goes to others after {SILENCE_SECONDS:g} s"
                )

    def _take(self, said: Sequence[_Said]) -> None:
        events = [(member, message) for member, message in said if isinstance(message, Did)]
        if events:
            self._store.apply(*(message.event for _, message in events))
            self._lost_in_a_row = 0
        for member, did in events:
            if (asked := member.held.get(did.number)) and asked.told is not None:
                asked.told(did.event)
        for member, message in said:
            self._hear(member, message)

    def _hear(self, member: _Member, message: Message | AgentrError) -> None:
        member.heard, member.told = time.monotonic(), False
        match message:
            case Ready():
                member.ready = True
                self._begun.set()
            case Want():
                member.wants += not member.leaving
            case Leaving():
                member.leaving, member.wants = True, 0
            case Back():
                self._put_back(member.held.pop(message.number))
            case Ended():
                self._lost_in_a_row = 0
                self._answer(member.held.pop(message.number), message)
            case Broken():
                raise error_of(message.failure)
            case AgentrError():
                self._lose(member, message)

    @staticmethod
    def _answer(asked: _Asked, ended: Ended) -> None:
        if asked.answer.done():  # nobody waits for it any more
            return
        if ended.failure is None:
            asked.answer.set_result(ended.result)
        else:
            asked.answer.set_exception(error_of(ended.failure))

    def _lose(self, member: _Member, error: AgentrError) -> None:
        """A worker is gone, or could not be started: its jobs are given to others, and another takes its place."""
        self._members.remove(member)
        if member.link is not None:
            self._go(member.link.close())
        if member.leaving:
            self._let_go(member)
            return
        if not self._begun.is_set() and not isinstance(error, WorkerLost):
            raise error  # the first that cannot be started says what is wrong with all of them
        self._lost_in_a_row += 1
        if self._lost_in_a_row > ATTEMPTS * self._size:
            raise NoWorkers(
                f"{self._lost_in_a_row} workers have died one after the other, and nothing was done between; the last: "
                f"{error}"
            )
        told = f"; {len(member.held)} jobs that it had begun go to others" if member.held else ""
        self._say(f"warning: worker {member.number} is gone ({error}){told}")
        for asked in member.held.values():
            if not asked.answer.done():
                asked.answer.set_exception(WorkerLost(str(error)))
        if not self._stopping:
            self._start_one()

    def _let_go(self, member: _Member) -> None:
        """A worker has left, as it was told: that is no death, and others finish what it had begun."""
        self._say(f"worker {member.number} was told to go, and has; what it had begun goes to others")
        for asked in member.held.values():
            self._put_back(asked)
        if not self._stopping:
            self._start_one()

    def _put_back(self, asked: _Asked) -> None:
        """A job that its worker has not finished is the next to be given away, with what is stored by then."""
        if self._stopping and not asked.answer.done():
            asked.answer.set_result(None)
        elif not self._stopping:
            self._waiting.appendleft(asked)

    def _hand_out(self) -> None:
        """Give those who want jobs some, the idlest first, and nobody more than a fair share of what there is."""
        while self._waiting and not self._stopping:
            unfinished = len(self._waiting) + sum(len(member.held) for member in self._members)
            share = max(1, ceil(unfinished / self._size))
            idle = [member for member in self._members if member.wants and len(member.held) < share]
            if not idle:
                return
            self._give(min(idle, key=lambda member: (len(member.held), member.number)), self._waiting.popleft())

    def _give(self, member: _Member, asked: _Asked) -> None:
        if asked.answer.done():
            return
        self._jobs += 1
        member.wants -= 1
        member.held[self._jobs] = asked
        self._send(member, replace(asked.make(), number=self._jobs))

    def _send(self, member: _Member, message: Message) -> None:
        async def sending(link: WorkerLink) -> None:
            with suppress(WorkerLost):  # whoever listens to it hears of it
                await link.send(pack(message))

        if member.link is not None:
            self._go(sending(member.link))

    def _stop(self) -> None:
        """The run is being interrupted: workers finish what they have at hand, and nothing more is begun."""
        self._stopping = True
        for member in self._members:
            self._send(member, Stop())
        while self._waiting:
            asked = self._waiting.popleft()
            if not asked.answer.done():
                asked.answer.set_result(None)

    def _break(self, error: Exception) -> None:
        """Nothing can go on: whoever waits is told why."""
        self._problem = error
        self._begun.set()
        for asked in [*self._waiting, *(asked for member in self._members for asked in member.held.values())]:
            if not asked.answer.done():
                asked.answer.set_exception(error)
        self._waiting.clear()
