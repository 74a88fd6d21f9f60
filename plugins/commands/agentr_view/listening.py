"""Where the viewer listens, and what its link looks like."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping, Sequence

import uvicorn
from starlette.applications import Starlette

from agentr_core import UsageError

#: Tried in this order where no port is named.
PORTS = range(7373, 7384)
#: Seconds that open streams have once the server is told to stop.
GRACE_SECONDS = 1
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def bound(host: str, port: int | None) -> socket.socket:
    """A socket that listens at ``port``, or at the first of :data:`PORTS` that is free.

    Raises :class:`~agentr_core.UsageError` where there is none.
    """
    tried: Sequence[int] = PORTS if port is None else [port]
    for each in tried:
        try:
            return _listening(host, each)
        except OSError as error:
            reason = error.strerror or str(error)
    where = f"{tried[0]} to {tried[-1]}" if len(tried) > 1 else str(tried[0])
    raise UsageError(f"cannot listen at {host}, port {where} ({reason}); give another --port (0: any that is free)")


def _listening(host: str, port: int) -> socket.socket:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(kind, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError:
        listener.close()
        raise
    return listener


def own_hosts(host: str, port: int, trusted: Sequence[str]) -> list[str]:
    """The values of ``Host`` that mean this server."""
    return [f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", *trusted]


def link(host: str, port: int, token: str, *, trusted: Sequence[str] = (), root_path: str = "") -> str:
    """The address to open, with its token."""
    if host in LOOPBACK:
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{port}{root_path}/?token={token}"
    return f"http://{trusted[0]}{root_path}/?token={token}"


def has_browser(environ: Mapping[str, str] = os.environ, platform: str = sys.platform) -> bool:
    """Whether a browser that is opened here would be seen by whoever typed the command."""
    if environ.get("SSH_CONNECTION"):
        return False
    return platform in ("darwin", "win32") or bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def tunnel(port: int) -> str:
    """What to type on one's own machine to see a viewer of another one."""
    return f"ssh -L {port}:127.0.0.1:{port} {os.environ.get('USER', 'USER')}@{socket.gethostname()}"


class Server(uvicorn.Server):
    """Answers requests until Ctrl-C; then it ends the streams of changes, which would go on for ever."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, and then all else."""
        self.config.app.state.end_streams()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def server(app: Starlette) -> Server:
    """What answers requests with ``app`` (of :func:`agentr_view.app.create_app`); ``should_exit`` stops it as well."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, ws="none", lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    return Server(config)
