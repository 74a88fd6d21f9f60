"""One websocket: a message and its answer, one after the other. Blocking; used in one thread at a time."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from agentr_core import SessionLost

#: The longest message that is read; pages and screens are long.
MOST_BYTES = 64 * 2**20
#: Seconds that closing may take: nobody waits for more than that when a run ends.
CLOSE_SECONDS = 2.0


class Failed(SessionLost):
    """Something came to nothing. ``status``: the HTTP status of a page."""

    def __init__(self, said: str, *, away: bool = False, status: int | None = None) -> None:
        super().__init__(said, away=away)
        self.status = status


class Socket:
    """A session at the server at ``url``: it begins with the first message and ends with the connection."""

    def __init__(self, url: str, timeout: float) -> None:
        self._url, self._timeout = url, timeout
        self._connection: ClientConnection | None = None

    @property
    def held(self) -> bool:
        """True while there is a session."""
        return self._connection is not None

    def open(self) -> None:
        """Begin a session; :class:`Failed` where the server is not reached."""
        scheme, rest = self._url.split("://", 1)
        address = f"{'wss' if scheme == 'https' else 'ws'}://{rest}/ws"
        try:
            self._connection = connect(
                address,
                open_timeout=self._timeout,
                close_timeout=CLOSE_SECONDS,
                max_size=MOST_BYTES,
                ping_interval=None,  # an environment that thinks for long answers no ping
                proxy=None,
            )
        except ConnectionRefusedError:
            raise Failed(f"{self._url} refuses connections: is the server running?", away=True) from None
        except (OSError, WebSocketException) as error:
            raise Failed(f"{address} cannot be opened ({error})", away=True) from None

    def ask(self, kind: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """The ``data`` of the answer to a message of the type ``kind``; an error is a :class:`Failed`."""
        if self._connection is None:
            self.open()
        try:
            assert self._connection is not None
            with suppress(ConnectionClosed):  # what the server said before it closed is read all the same
                self._connection.send(json.dumps({"type": kind, "data": data}))
            said = json.loads(self._connection.recv(self._timeout))
        except TimeoutError:
            said = f"{self._url} did not answer within {self._timeout:g} s (openenv.timeout)"
            raise Failed(said, away=True) from None
        except (OSError, WebSocketException, EOFError) as error:
            raise Failed(f"{self._url} broke off ({error or type(error).__name__})", away=True) from None
        except ValueError:
            raise Failed(f"{self._url} answered '{kind}' with something that is no JSON") from None
        return self._content(kind, said)

    def close(self) -> None:
        """End the session. May be called twice, and when the interpreter ends."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.send('{"type": "close"}')
            connection.close()
        except (OSError, WebSocketException, RuntimeError):
            pass  # it is gone: there is nothing left to end

    def _content(self, kind: str, said: Any) -> Mapping[str, Any]:
        data = said.get("data") if isinstance(said, dict) else None
        if not isinstance(data, dict):
            raise Failed(f"{self._url} answered '{kind}' with {json.dumps(said)[:120]}, which is no OpenEnv message")
        if said.get("type") == "error":
            full = data.get("code") == "CAPACITY_REACHED"
            raise Failed(f"{self._url} answered '{kind}' with an error: {_words(data)}", away=full)
        return data


def page(url: str, timeout: float, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The JSON of a page (a POST where there is a ``body``); :class:`Failed` where there is none."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=timeout)
    try:
        sent = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request("GET" if body is None else "POST", f"{parts.path}/{path}", sent, headers)
        response = connection.getresponse()
        content = response.read()
        if response.status != 200:
            said = content[:200].decode("utf-8", "replace")
            raise Failed(f"{url} answered /{path} with HTTP {response.status}: {said}", status=response.status)
        return json.loads(content)
    except ConnectionRefusedError:
        raise Failed(f"{url} refuses connections: is the server running?", away=True) from None
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{url} cannot be reached, or broke off ({error or type(error).__name__})", away=True) from None
    except ValueError:
        raise Failed(f"{url} answered /{path} with something that is no JSON", status=200) from None
    finally:
        connection.close()


def _words(data: Mapping[str, Any]) -> str:
    more = data.get("errors")
    return f"{data.get('message')}{f' ({json.dumps(more, default=str)[:200]})' if more else ''}"
