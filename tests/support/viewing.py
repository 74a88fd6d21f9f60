"""``agentr view`` in a thread of this process, and a browser that has opened its link, without the screen."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import uvicorn
from agentr_view.app import create_app, new_token
from agentr_view.listening import bound, own_hosts, server

#: What nobody may take for anything but text.
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "javascript:alert(3)//\u202egnp.exe \u2066\u200b",
    "\x1b[2J\x1b]0;owned\x07 \x00\x08",
    "broken \ud800 half of a letter",
    "'; DROP TABLE runs; --",
)


class Viewed:
    """``with Viewed(db) as viewed``: the viewer of a database at ``127.0.0.1:viewed.port``, entered with ``token``."""

    def __init__(self, db: Path, *, root_path: str = "", trusted: tuple[str, ...] = ()) -> None:
        self._listener = bound("127.0.0.1", 0)
        self.port: int = self._listener.getsockname()[1]
        self.token, self.renewed = new_token(), list[str]()
        app = create_app(
            db, self.token, hosts=own_hosts("127.0.0.1", self.port, trusted), cookie=f"agentr_view_{self.port}",
            root_path=root_path, renewed=self.renewed.append,
        )  # fmt: skip
        self._server: uvicorn.Server = server(app)
        self._thread = threading.Thread(target=lambda: self._server.run(sockets=[self._listener]), daemon=True)

    def __enter__(self) -> Viewed:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()


class Answer:
    """What came back: status, headers in lower case, the bytes, and what they say as JSON."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Visitor:
    """Asks a viewer, with no cookie at first. What a path says is sent to the letter."""

    def __init__(self, port: int) -> None:
        self.port, self.cookie = port, ""

    def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Answer:
        """One request. A header given as empty is left out."""
        connection = self.send(path, method=method, headers=headers)
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def send(
        self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPConnection:
        """The connection on which a request has been sent and not yet been answered."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = {"Host": f"127.0.0.1:{self.port}", **({"Cookie": self.cookie} if self.cookie else {}), **(headers or {})}
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in sent.items():
            if value:
                connection.putheader(name, value)
        connection.endheaders()
        return connection

    def enter(self, token: str) -> Answer:
        """Open the link; from then on the cookie is sent along."""
        answer = self.ask(f"/?token={token}")
        found = SimpleCookie(answer.headers.get("set-cookie", ""))
        self.cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in found.items())
        return answer

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON of an address of ``/api``, which must be there."""
        answer = self.ask(address(path, **parameters))
        assert answer.status == 200, (path, answer.status, answer.body[:300])
        return answer.json

    def pages(self, path: str, limit: int, **parameters: Any) -> Iterator[Any]:
        """All rows of a list, page by page."""
        cursor = None
        while True:
            page = self.get(path, limit=limit, **{**parameters, **({"cursor": cursor} if cursor else {})})
            assert len(page["items"]) <= limit
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return


def address(path: str, **parameters: Any) -> str:
    return f"/api/{path}" + (f"?{urlencode(parameters)}" if parameters else "")


def entered(viewed: Viewed) -> Visitor:
    visitor = Visitor(viewed.port)
    visitor.enter(viewed.renewed[-1] if viewed.renewed else viewed.token)
    return visitor
