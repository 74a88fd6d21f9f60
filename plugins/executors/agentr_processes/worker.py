"""What a worker process runs: ``python -m agentr_processes.worker FD``, with its end of the line as descriptor FD.

The first message is the setting of the run; the rest is the core's business. SIGTERM, which SLURM and clouds send
before they take a machine away, has it commit the simulations at hand and leave; a second one ends it at once.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys

from agentr_core import serve_worker
from agentr_processes.framing import READ_AHEAD, read_message, write_message


async def work(line: socket.socket) -> None:
    """Work until the other end of the line is closed, or the machine is about to be taken away."""
    leave, loop = asyncio.Event(), asyncio.get_running_loop()

    def told_to_go() -> None:
        leave.set()
        loop.remove_signal_handler(signal.SIGTERM)

    loop.add_signal_handler(signal.SIGTERM, told_to_go)
    reader, writer = await asyncio.open_connection(sock=line, limit=READ_AHEAD)

    async def receive() -> bytes:
        return await read_message(reader)

    async def send(message: bytes) -> None:
        await write_message(writer, message)

    if setting := await receive():
        await serve_worker(setting, receive, send, leave)
    writer.close()


if __name__ == "__main__":
    asyncio.run(work(socket.socket(fileno=int(sys.argv[1]))))
