"""What many trees ask of a model at the same moment goes to it as one batch.

A policy that computes answers derives from :class:`BatchedPolicy` and implements one synchronous method over many
requests. The trees stay ordinary coroutines that await one answer each.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from agentr_core.errors import AgentrError, PolicyFailure, boundary
from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.policy import Policy
from agentr_core.records import Completion, EngineLoad, SampleRequest

ConfigT = TypeVar("ConfigT", bound=PluginConfig)
ResultT = TypeVar("ResultT")

#: What came of one request: its completions, or why there are none.
Answer = list[Completion] | AgentrError


@dataclass(slots=True)
class BatchCounters:
    """What a policy has computed so far. ``rows``: completions asked for; ``busy_seconds``: time inside the model."""

    batches: int = 0
    requests: int = 0
    rows: int = 0
    busy_seconds: float = 0.0


@dataclass(slots=True, eq=False)
class _Pending:
    request: SampleRequest
    answer: asyncio.Future[list[Completion]]


class BatchedPolicy(Policy[ConfigT]):
    """A policy that answers requests in batches, in a thread of its own.

    Subclasses implement :meth:`complete`; they may override :attr:`max_rows` and :meth:`release`. While a batch is
    computed further requests queue up and form the next one, so the model is never idle and never asked one by one.
    """

    #: Passes of the event loop without a new request after which a batch is closed. A tree needs a few passes
    #: between its answer and its next request; a pass costs microseconds.
    quiet_passes: ClassVar[int] = 8

    def __init__(self, config: ConfigT) -> None:
        super().__init__(config)
        self.counters = BatchCounters()
        self.closing = False
        self._queue: deque[_Pending] = deque()
        self._dispatcher: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="agentr-policy")
        self._released = False
        self._rows = 0

    def engine_load(self) -> EngineLoad | None:
        """How full the batch at work is, or the last one was, of what it may hold."""
        return EngineLoad(busy=min(1.0, self._rows / self.max_rows))

    @property
    def busy_seconds(self) -> float:
        """Seconds spent computing answers so far."""
        return self.counters.busy_seconds

    @property
    def max_rows(self) -> int:
        """How many completions one batch asks for at the most; a single larger request is a batch of its own."""
        return 256

    @abstractmethod
    def complete(self, requests: Sequence[SampleRequest]) -> Sequence[Answer]:
        """Answer all ``requests``, in their order; called in one thread, never twice at a time.

        An error put in an answer's place reaches that caller alone. Where the call itself raises, the batch is
        halved and tried again, so that only requests that fail alone fail.
        """

    def release(self) -> None:
        """Free the model; called once, after the last batch."""

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """Queue the request and await its answer; see :meth:`Policy.sample`."""
        if self.closing:
            raise PolicyFailure(f"the policy '{self.model}' is closed and answers no more")
        if request.n < 1:
            return []
        pending = _Pending(request, asyncio.get_running_loop().create_future())
        self._queue.append(pending)
        if self._dispatcher is None or self._dispatcher.done():
            self._dispatcher = asyncio.create_task(self._dispatch())
        return await pending.answer

    async def in_thread(self, function: Callable[[], ResultT]) -> ResultT:
        """Run ``function`` in the model's thread, between two batches; its exceptions become PolicyFailure."""
        loop = asyncio.get_running_loop()
        with boundary(PolicyFailure, f"the policy '{self.model}' failed"):
            return await loop.run_in_executor(self._thread, function)

    async def close(self) -> None:
        """Fail what is still waiting, let the running batch end, and free the model."""
        self.closing = True
        self._fail_queue()
        if not self._released:
            self._released = True
            await asyncio.get_running_loop().run_in_executor(self._thread, self.release)
            self._thread.shutdown(wait=True)

    async def _dispatch(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._queue:
                await self._settle()
                if batch := self._next_batch():
                    self._rows = sum(pending.request.n for pending in batch)
                    requests = [pending.request for pending in batch]
                    _deliver(batch, await loop.run_in_executor(self._thread, self._timed, requests))
        finally:
            # Only a loop that is being torn down leaves anything here.
            while self._queue:
                self._queue.popleft().answer.cancel()

    async def _settle(self) -> None:
        """Let the event loop run until no tree has anything more to ask at this moment."""
        seen, quiet = len(self._queue), 0
        while quiet < self.quiet_passes:
            await asyncio.sleep(0)
            quiet = quiet + 1 if len(self._queue) == seen else 0
            seen = len(self._queue)

    def _next_batch(self) -> list[_Pending]:
        batch: list[_Pending] = []
        rows = 0
        while self._queue:
            head = self._queue[0]
            if not head.answer.done():
                if batch and rows + head.request.n > self.max_rows:
                    break
                batch.append(head)
                rows += head.request.n
            self._queue.popleft()
        return batch

    def _timed(self, requests: Sequence[SampleRequest]) -> Sequence[Answer]:
        start = time.perf_counter()
        try:
            return self._guarded(requests)
        finally:
            self.counters.busy_seconds += time.perf_counter() - start

    def _guarded(self, requests: Sequence[SampleRequest]) -> Sequence[Answer]:
        self.counters.batches += 1
        try:
            with boundary(PolicyFailure, f"the policy '{self.model}' failed"):
                outcomes = self.complete(requests)
                if len(outcomes) != len(requests):
                    raise PolicyFailure(f"'{self.model}' gave {len(outcomes)} answers to {len(requests)} requests")
        except AgentrError as error:
            if len(requests) == 1 or self.closing:
                return [error] * len(requests)
            half = len(requests) // 2
            return [*self._guarded(requests[:half]), *self._guarded(requests[half:])]
        self.counters.requests += len(requests)
        self.counters.rows += sum(request.n for request in requests)
        return outcomes

    def _fail_queue(self) -> None:
        while self._queue:
            answer = self._queue.popleft().answer
            if not answer.done():
                answer.set_exception(PolicyFailure(f"the policy '{self.model}' was closed before it answered"))


def _deliver(batch: Sequence[_Pending], outcomes: Sequence[Answer]) -> None:
    for pending, outcome in zip(batch, outcomes, strict=True):
        if pending.answer.done():
            continue
        if isinstance(outcome, AgentrError):
            pending.answer.set_exception(outcome)
        else:
            pending.answer.set_result(outcome)
