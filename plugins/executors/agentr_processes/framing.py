"""Messages on a stream of bytes: the length of each (8 bytes, big-endian) before it."""

from __future__ import annotations

import asyncio

_SIZE = 8
#: Bytes that a side reads ahead; beyond twice as many, whoever writes waits.
READ_AHEAD = 256 * 1024


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """The next message; an empty one where the other side is gone."""
    try:
        size = int.from_bytes(await reader.readexactly(_SIZE), "big")
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def write_message(writer: asyncio.StreamWriter, message: bytes) -> None:
    """Send a message; waits while the other side does not read. :class:`ConnectionError` where it is gone."""
    writer.write(len(message).to_bytes(_SIZE, "big") + message)
    await writer.drain()
