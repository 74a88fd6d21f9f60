"""The socket, and the process that answers on it until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvicorn

from agentr_core import UsageError
from agentr_serve.sessions import Sessions

#: Connections that say nothing are kept so long: an agent thinks between two steps.
KEEP_ALIVE_SECONDS = 75
#: Connections that may wait to be accepted.
BACKLOG = 4096
#: Seconds that requests at work have to come to their end once the server is told to stop.
GRACE_SECONDS = 5
#: The longest message of a websocket.
MOST_BYTES = 16 * 2**20


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; :class:`~agentr_core.UsageError` where it cannot."""
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named: else head and body of an answer, written
    # one after the other, wait 40 ms for the client's acknowledgement of the first.
    listener = socket.socket(kind, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(f"cannot listen at {host}:{port} ({error.strerror or error}); "
                         "give another --port (0: any that is free) or --host") from None  # fmt: skip
    listener.listen(BACKLOG)
    return listener


@asynccontextmanager
async def kept(sessions: Sessions) -> AsyncIterator[None]:
    """Inside, idle sessions expire; at the end all are closed."""
    expiring = asyncio.create_task(sessions.expire_for_ever())
    try:
        yield
    finally:
        expiring.cancel()
        with suppress(asyncio.CancelledError):
            await expiring
        await sessions.close_all()


def server(app: Any) -> uvicorn.Server:
    """What answers requests with ``app``; setting its ``should_exit`` stops it, as Ctrl-C does."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ws="websockets-sansio",
            ws_max_size=MOST_BYTES,
        )
    )


async def answer_until_stopped(running: uvicorn.Server, listener: socket.socket, sessions: Sessions) -> None:
    """Answer on ``listener`` until told to stop; idle sessions expire meanwhile, and all are closed at the end."""
    async with kept(sessions):
        await running.serve(sockets=[listener])
