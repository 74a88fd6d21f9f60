"""Workers as actors of Ray Core: a few large ones, which Ray places where there is room for them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from agentr_core import AgentrError, Executor, WorkerLink, WorkerLost, usable_cores
from agentr_ray.config import RayConfig
from agentr_ray.worker import RayWorker

#: Messages of a worker that may lie unread; then it waits.
UNREAD = 8
#: Seconds that a worker has to close what it holds.
GRACE_SECONDS = 5.0
#: Seconds within which a cluster's head must answer at all.
CONNECT_SECONDS = 10.0
#: How often Ray is started on this machine, where it says that it could not be.
STARTS = 4
#: Only messages pass through Ray's object store; unless told, it takes a third of the memory.
OBJECT_STORE_BYTES = 100_000_000


class RayLink(WorkerLink):
    """The line to one actor. One that cannot be reached for a moment counts as gone: its work is begun elsewhere."""

    def __init__(self, actor: Any, setting: bytes) -> None:
        self._actor = actor
        streaming = {"num_returns": "streaming", "_generator_backpressure_num_objects": UNREAD}
        self._messages = actor.work.options(**streaming).remote(setting)

    async def send(self, message: bytes) -> None:
        """See :meth:`agentr_core.WorkerLink.send`."""
        try:
            await self._actor.put.remote(message)
        except RayError as error:
            raise WorkerLost(_reason(error)) from None

    async def receive(self) -> bytes:
        """See :meth:`agentr_core.WorkerLink.receive`."""
        try:
            message: bytes = await (await anext(self._messages))
            return message
        except StopAsyncIteration:
            raise WorkerLost("its actor has ended") from None
        except RayError as error:
            raise WorkerLost(_reason(error)) from None

    async def close(self) -> None:
        """Tell the worker that the run is over, and kill its actor soon after."""
        with suppress(RayError, TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._actor.put.remote(b"")
                async for _ in self._messages:
                    pass
        ray.kill(self._actor)


class RayExecutor(Executor[RayConfig]):
    """Asks Ray for actors. Those that find no place yet stay asked for, and an autoscaler sees them."""

    config_class = RayConfig

    def __init__(self, config: RayConfig) -> None:
        super().__init__(config)
        self._connecting = asyncio.Lock()
        #: Whether Ray was connected to here, and is to be left on closing.
        self._ours = False

    @property
    def workers(self) -> int:
        """As many as were asked for, else one for each share of the CPUs: of this machine, or of the cluster."""
        if self.config.workers is not None:
            return self.config.workers
        if self.config.address:
            self._connect()
            cpus = ray.cluster_resources().get("CPU", 1.0)
        else:
            cpus = float(usable_cores())
        return max(1, int(cpus // max(self.config.cpus_per_worker, 1.0)))

    async def start(self, number: int, setting: bytes) -> WorkerLink:
        """Ask for one more actor; it is there once it says something."""
        async with self._connecting:
            await asyncio.to_thread(self._connect)  # in a thread of its own it leaves the signals to the run
        needs = {
            "num_cpus": self.config.cpus_per_worker,
            "num_gpus": self.config.gpus_per_worker,
            "resources": self.config.resources or None,
            "runtime_env": {"env_vars": self.config.environment} if self.config.environment else None,
        }
        # It is begun again by the run, which knows what is stored, and never by Ray.
        actor = ray.remote(RayWorker).options(max_restarts=0, max_task_retries=0, **needs).remote()
        return RayLink(actor, setting)

    async def close(self) -> None:
        """Leave the cluster; Ray that was started here ends."""
        if self._ours:
            self._ours = False
            await asyncio.to_thread(ray.shutdown)

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            if self.config.address:
                _check_there(self.config.address)
                ray.init(address=self.config.address, log_to_driver=False, logging_level=logging.ERROR)
            else:
                self._start_here()
        except Exception as error:  # Ray raises plain exceptions for much of what can be wrong
            where = f"the Ray cluster at '{self.config.address}'" if self.config.address else "Ray on this machine"
            said = " ".join(str(error).split())
            told = f"{where} cannot be used ({said}); see that it runs, or give another ray.address"
            raise AgentrError(told) from None
        self._ours = True

    def _start_here(self) -> None:
        """Start Ray on this machine, also where a busy one is slower than the half minute that Ray gives itself."""
        cpus = max(1, round(self.workers * self.config.cpus_per_worker))
        for left in reversed(range(STARTS)):
            try:
                ray.init(
                    address="local",  # none that runs here already, which may be anybody's
                    num_cpus=cpus,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    object_store_memory=OBJECT_STORE_BYTES,
                )
                return
            except Exception:  # Ray has no class for it
                if not left:
                    raise
                ray.shutdown()


def _check_there(address: str) -> None:
    """:class:`OSError` where nobody listens at HOST:PORT: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


def _reason(error: RayError) -> str:
    """The first sentence of what Ray says; the rest is about its internals."""
    kind = "the actor's process or machine is gone" if isinstance(error, RayActorError) else type(error).__name__
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{kind}: {first[:200]}" if first else kind
