"""One HTTP connection to a server that speaks JSON, and what its answers mean. Blocking; for one thread at a time."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from agentr_core import AgentrError, SessionLost

#: A connection idle for longer is made anew: servers end idle ones after 5 seconds, and one that ends in the middle of
#: a request looks like a server that died.
IDLE_SECONDS = 3.0
#: Statuses that say that the server is busy or not there; a proxy's among them.
_PASSING = frozenset({408, 425, 429, 502, 503, 504})


class Failed(SessionLost):
    """A request came to nothing."""


class NoSuchPage(Failed):
    """The server has no such path."""


class Connection:
    """Asks the server at ``url``. Every failure is a :class:`Failed`, with one sentence in it."""

    def __init__(self, url: str, timeout: float) -> None:
        self.url, self._parts, self._timeout = url, urlsplit(url), timeout
        self._http: http.client.HTTPConnection | None = None
        self._used = 0.0

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that the server answers."""
        return self._ask("POST", path, json.dumps(body).encode())

    def get(self, path: str, query: Mapping[str, Any]) -> Any:
        """The JSON that the server answers."""
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path, None)

    def close(self) -> None:
        """Close the connection; the next request opens another one."""
        if self._http is not None:
            self._http.close()
            self._http = None

    def _ask(self, method: str, path: str, body: bytes | None) -> Any:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            http_ = self._open()
            http_.request(method, f"{self._parts.path}/{path}", body, headers)
            response = http_.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise Failed(self._broken(error), away=True) from None
        self._used = time.monotonic()
        return self._read(f"/{path.partition('?')[0]}", response.status, content)

    def _open(self) -> http.client.HTTPConnection:
        if time.monotonic() - self._used > IDLE_SECONDS:
            self.close()
        if self._http is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            self._http = kind(str(self._parts.hostname), self._parts.port, timeout=self._timeout)
        return self._http

    def _broken(self, error: Exception) -> str:
        if isinstance(error, ConnectionRefusedError):
            return f"{self.url} refuses connections: is the server running?"
        if isinstance(error, TimeoutError):
            return f"{self.url} did not answer within {self._timeout:g} s (agentgym.timeout)"
        return f"{self.url} cannot be reached, or broke off ({error or type(error).__name__})"

    def _read(self, path: str, status: int, content: bytes) -> Any:
        """What came, or the failure that it is: servers put errors into answers of any status."""
        if status in (404, 405):
            raise NoSuchPage(f"{self.url} has no {path}: agentgym.server names another kind of server than is there")
        if status in _PASSING:
            raise Failed(f"{self.url} answered {path} with HTTP {status}", away=True)
        try:
            said = json.loads(content)
        except ValueError:
            said = content[:200].decode("utf-8", "replace").strip()
            raise Failed(f"{self.url} answered {path} with HTTP {status} and no JSON: {said or 'nothing'}") from None
        if isinstance(said, dict) and "error" in said and not {"observation", "state"} & said.keys():
            raise Failed(f"{self.url} answered {path} with an error: {said['error']}")
        if status >= 400:
            raise Failed(f"{self.url} answered {path} with HTTP {status}: {json.dumps(said)[:200]}")
        return said


def unexpected(url: str, path: str, said: Any) -> AgentrError:
    """The error for an answer of another shape than the table tells."""
    return AgentrError(
        f"{url} answered /{path} with {json.dumps(said)[:120]}, which is not how this kind of server answers; "
        "agentgym.server must name the kind that is there"
    )
