"""Many pieces of work in flight: as many at once as are admitted, each yielded as it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from agentr_core.errors import AgentrError, Interrupted, MissingDependencyError, NoWorkers, StoreError, UsageError
from agentr_core.play.admission import Admission

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

#: Errors that are not about the item at hand: the next one would meet with the same, so they end everything. A store
#: that cannot be written to, Ctrl-C, and what only the user can mend (a wrong model name, no credit left, a package,
#: a machine on which no worker lives).
ENDS_ALL = (StoreError, Interrupted, UsageError, MissingDependencyError, NoWorkers)


@dataclass(frozen=True, slots=True)
class Finished(Generic[ItemT, ResultT]):
    """One item is done: with a ``result``, or with the ``error`` that ended it, after so many ``attempts``."""

    item: ItemT
    result: ResultT | None = None
    error: Exception | None = None
    attempts: int = 1

    @property
    def passing(self) -> bool:
        """True where it failed for a reason that may pass."""
        return isinstance(self.error, AgentrError) and self.error.passing


class Outage:
    """Notices that nothing gets through any more: many failures in a row that may pass, and no success between them."""

    LIMIT = 8

    def __init__(self) -> None:
        self._in_a_row = 0

    def note(self, finished: Finished[Any, Any]) -> None:
        """Count one more item that is done."""
        self._in_a_row = self._in_a_row + 1 if finished.passing else 0

    @property
    def here(self) -> bool:
        """True from then on."""
        return self._in_a_row >= self.LIMIT


async def run_bounded(
    items: Iterable[ItemT],
    worker: Callable[[ItemT], Awaitable[ResultT]],
    limit: int | Admission,
    stop: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Finished[ItemT, ResultT]]:
    """Work on as many items at once as ``limit`` allows and yield each one as it ends, a failure as well as a success.

    Once ``stop()`` is true no item is begun; those in flight come to their end. :data:`ENDS_ALL` end everything: they
    are raised here, after what has ended well, and the rest is cancelled. A caller that may leave the loop early wraps
    it in ``contextlib.aclosing``, which cancels the rest as well.
    """
    admission = limit if isinstance(limit, Admission) else Admission(limit)
    waiting = deque(items)
    running: dict[asyncio.Task[Finished[ItemT, ResultT]], None] = {}
    try:
        while True:
            while waiting and admission.allows(len(running)) and not stop():
                running[asyncio.ensure_future(_finish(waiting.popleft(), worker))] = None
                await asyncio.sleep(0)  # a thousand that begin in one pass of the event loop would hold up all others
            if not running:
                return
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            ended = [task for task in running if task.done()]
            for task in sorted(ended, key=lambda task: task.exception() is not None):
                del running[task]
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _finish(item: ItemT, worker: Callable[[ItemT], Awaitable[ResultT]]) -> Finished[ItemT, ResultT]:
    try:
        return Finished(item, await worker(item))
    except ENDS_ALL:
        raise
    except Exception as error:
        return Finished(item, error=error)


async def run_with_second_try(
    items: Iterable[ItemT],
    worker: Callable[[ItemT], Awaitable[ResultT]],
    limit: int | Admission,
    stop: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Finished[ItemT, ResultT]]:
    """:func:`run_bounded`, where what failed for a reason that may pass is tried again once the rest is through.

    While nothing gets through (:class:`Outage`) no more items are begun: they are left for another time.
    """
    outage, failed = Outage(), list[Finished[ItemT, ResultT]]()

    def pause() -> bool:
        return stop() or outage.here

    async for finished in run_bounded(items, worker, limit, pause):
        outage.note(finished)
        if finished.passing:
            failed.append(finished)
        else:
            yield finished

    async def again(first: Finished[ItemT, ResultT]) -> ResultT:
        return await worker(first.item)

    tried = set[int]()
    if not pause():
        async for second in run_bounded(failed, again, limit, pause):
            outage.note(second)
            tried.add(id(second.item))
            yield Finished(second.item.item, second.result, second.error, attempts=2)
    for first in failed:
        if id(first) not in tried:
            yield first


def not_now(what: str, failed: Sequence[Finished[Any, Any]], advice: str) -> AgentrError:
    """The error for a stage that cannot be finished at present; ``what`` says what is left to do."""
    return AgentrError(
        f"{what}, for a reason that may pass: {failed[0].error}\n"
        f"nothing counts that was not done, and what was done is kept; {advice}",
        passing=True,
    )
