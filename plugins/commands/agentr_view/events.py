"""What happens, as it happens: a number whenever the store has changed. The pages then fetch what is new."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from agentr_view.answers import as_json, refusal
from agentr_view.asked import Asked
from agentr_view.stores import Changes, Stores

#: How often the store is asked while somebody listens, in seconds.
EVERY_SECONDS = 0.5
#: After so long without a change a beat is sent: proxies keep the connection, and the page knows that it is there.
QUIET_SECONDS = 15.0


class Events:
    """Tells listeners of changes; while there are none, nothing is asked."""

    def __init__(self, stores: Stores, changes: Changes) -> None:
        self._stores, self._changes = stores, changes
        self._listeners: set[asyncio.Queue[int | None]] = set()
        self._watching: asyncio.Task[None] | None = None

    async def answer(self, request: Request) -> Response:
        """A stream of changes, the present number first; with ``wait=0`` that number alone, as JSON."""
        try:
            asked = Asked(request)
            once = asked.choice("wait", ("0",)) is not None
            asked.check_all_read()
            if once:
                return as_json({"change": await self._now()})
        except Exception as error:
            return refusal(error)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers=headers)

    def end(self) -> None:
        """End all streams."""
        for queue in self._listeners:
            queue.put_nowait(None)

    async def _stream(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[int | None] = asyncio.Queue()
        self._listeners.add(queue)  # before the present number is asked for: what changes in between is told twice
        try:
            now = await self._now()
            if self._watching is None:
                self._watching = asyncio.create_task(self._watch(now))
            yield f"retry: 2000\n\n{_event(now)}"
            while True:
                try:
                    change = await asyncio.wait_for(queue.get(), QUIET_SECONDS)
                except TimeoutError:
                    yield "event: beat\ndata: {}\n\n"
                    continue
                if change is None:
                    return
                yield _event(change)
        finally:
            self._listeners.discard(queue)
            if not self._listeners and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    async def _watch(self, told: int) -> None:
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            with suppress(Exception):  # a database that is away for a moment has not changed
                now = await self._now()
                if now != told:
                    told = now
                    for queue in self._listeners:
                        queue.put_nowait(now)

    async def _now(self) -> int:
        return await asyncio.get_running_loop().run_in_executor(self._stores.pool, self._changes.now)


def _event(change: int) -> str:
    return f"data: {json.dumps({'change': change})}\n\n"
