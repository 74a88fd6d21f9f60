"""What runs at the other end: an actor whose one long call is a worker's whole life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from agentr_core import serve_worker


class RayWorker:
    """Works for one run. Messages come in by :meth:`put` and go out as what :meth:`work` yields."""

    def __init__(self) -> None:
        self._inbox: asyncio.Queue[bytes] = asyncio.Queue()

    async def put(self, message: bytes) -> None:
        """Take a message of the run; an empty one says that it is over."""
        await self._inbox.put(message)

    async def work(self, setting: bytes) -> AsyncIterator[bytes]:
        """Work until the run is over, and yield what there is to tell it. Ray makes this wait where nobody listens."""
        out: asyncio.Queue[bytes] = asyncio.Queue(1)

        async def serve() -> None:
            try:
                await serve_worker(setting, self._inbox.get, out.put)
            finally:
                await out.put(b"")

        serving = asyncio.create_task(serve())
        while message := await out.get():
            yield message
        await serving
