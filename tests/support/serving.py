"""``agentr serve`` in a thread of this process, with its sessions at hand."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from agentr_serve.agentgym import AgentGymServer
from agentr_serve.listening import answer_until_stopped, bound, server
from agentr_serve.openenv import OpenEnvServer
from agentr_serve.sessions import Sessions

from agentr_core import AnyEnvironment, create

PROTOCOLS = {"agentgym": AgentGymServer, "openenv": OpenEnvServer}


class Served:
    """``with Served("textcraft", world="synthetic") as served``: the environment at ``served.url``.

    ``port`` is that of one that was there before. ``most`` and ``idle`` as of ``agentr serve``. ``dies_after``: so many
    sessions that are asked for, and the server is gone.
    """

    def __init__(
        self,
        env: str,
        *,
        protocol: str = "agentgym",
        port: int = 0,
        most: int = 10_000,
        idle: float = 0.0,
        dies_after: int = 0,
        **options: Any,
    ) -> None:
        self._listener = bound("127.0.0.1", port)
        self.port = self._listener.getsockname()[1]
        self._left = dies_after

        def make() -> AnyEnvironment:
            self._left -= 1
            if self._left == 0:
                self._server.should_exit = self._server.force_exit = True
            made: AnyEnvironment = create("env", env, **options)
            return made

        self.sessions = Sessions(make, most=most, idle=idle)
        self._server = server(PROTOCOLS[protocol](env, self.sessions).app())
        self._thread = threading.Thread(
            target=lambda: asyncio.run(answer_until_stopped(self._server, self._listener, self.sessions)), daemon=True
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Served:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """From here on connections are refused."""
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()
        self._listener.close()
