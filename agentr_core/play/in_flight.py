"""Many pieces of work in flight: as many at once as are admitted, each yielded as it ends."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from agentr_core.errors import Interrupted, StoreError
from agentr_core.play.admission import Admission

ItemT = TypeVar("ItemT")


ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Finished(Generic[ItemT, ResultT]):
    """One item is done: with a ``result``, or with the ``error`` that ended it."""

    item: ItemT
    result: ResultT | None = None
    error: Exception | None = None


async def run_bounded(
    items: Iterable[ItemT],
    worker: Callable[[ItemT], Awaitable[ResultT]],
    limit: int | Admission,
    stop: Callable[[], bool] = lambda: False,
) -> AsyncIterator[Finished[ItemT, ResultT]]:
    """Work on as many items at once as ``limit`` allows and yield each one as it ends, a failure as well as a success.

    Once ``stop()`` is true no item is begun; those in flight come to their end. A store that cannot be written to
    (:class:`~agentr_core.errors.StoreError`) and :class:`~agentr_core.errors.Interrupted` end everything: they are
    raised here and the rest is cancelled. A caller that may leave the loop early wraps it in ``contextlib.aclosing``,
    which cancels the rest as well.
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
            for task in [task for task in running if task.done()]:
                del running[task]
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _finish(item: ItemT, worker: Callable[[ItemT], Awaitable[ResultT]]) -> Finished[ItemT, ResultT]:
    try:
        return Finished(item, await worker(item))
    except (StoreError, Interrupted):
        raise
    except Exception as error:
        return Finished(item, error=error)
