"""Workers as processes of this machine: each a Python of its own, at the other end of a pair of sockets."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from asyncio.subprocess import Process
from contextlib import suppress

from agentr_core import Executor, WorkerLink, WorkerLost, usable_cores
from agentr_processes.config import ProcessesConfig
from agentr_processes.framing import READ_AHEAD, read_message, write_message

#: Seconds that a worker has to close what it holds, once the line is closed.
GRACE_SECONDS = 5.0
_STDERR = 2
#: What tells arithmetic libraries how many threads to use.
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class ProcessLink(WorkerLink):
    """The line to one process."""

    def __init__(self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.process, self._reader, self._writer = process, reader, writer

    async def send(self, message: bytes) -> None:
        """See :meth:`agentr_core.WorkerLink.send`."""
        try:
            await write_message(self._writer, message)
        except ConnectionError:
            raise WorkerLost(await self._how_it_ended()) from None

    async def receive(self) -> bytes:
        """See :meth:`agentr_core.WorkerLink.receive`; sockets make the worker wait."""
        if message := await read_message(self._reader):
            return message
        raise WorkerLost(await self._how_it_ended())

    async def close(self) -> None:
        """Close the line, at which the worker ends; kill it where it does not."""
        self._writer.close()
        try:
            await asyncio.wait_for(self.process.wait(), GRACE_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()

    async def _how_it_ended(self) -> str:
        code = await self.process.wait()
        if code >= 0:
            return f"process {self.process.pid} ended with exit code {code}"
        name = signal.Signals(-code).name
        hint = ", as one does that takes too much memory" if -code == signal.SIGKILL else ""
        return f"process {self.process.pid} was ended by {name}{hint}"


class Processes(Executor[ProcessesConfig]):
    """Starts each worker as ``python -m agentr_processes.worker``, out of reach of the terminal's Ctrl-C."""

    config_class = ProcessesConfig

    def __init__(self, config: ProcessesConfig) -> None:
        super().__init__(config)
        self._processes: list[Process] = []

    @property
    def workers(self) -> int:
        """As many as were asked for, else one for each core."""
        return self.config.workers or usable_cores()

    async def start(self, number: int, setting: bytes) -> WorkerLink:
        """Start a process and send it the setting."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                command = (sys.executable, "-m", "agentr_processes.worker", str(theirs.fileno()))
                process = await asyncio.create_subprocess_exec(
                    *command,
                    pass_fds=(theirs.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=_STDERR,  # what plugins print is no data of the command's
                    start_new_session=True,
                    env=self._environment(),
                )
            self._processes.append(process)
            reader, writer = await asyncio.open_connection(sock=ours, limit=READ_AHEAD)
        except BaseException:
            ours.close()
            raise
        link = ProcessLink(process, reader, writer)
        await link.send(setting)
        return link

    async def close(self) -> None:
        """Kill what was still being started."""
        for process in self._processes:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        self._processes.clear()

    def _environment(self) -> dict[str, str]:
        """This process's, with all that it can import, and the worker's share of the cores."""
        threads = self.config.threads or max(1, usable_cores() // self.workers)
        shares = {name: str(threads) for name in _THREADS if self.config.threads or name not in os.environ}
        return {**os.environ, **shares, "PYTHONPATH": os.pathsep.join(place for place in sys.path if place)}
