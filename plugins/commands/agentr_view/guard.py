"""Who may ask: whoever has opened the link that was printed, from a page that this server itself has served.

A server on one's own machine is reached by every web page that the browser shows: directly (``fetch``), and under a
name of its own that is later made to mean this machine (DNS rebinding). Hence the exact list of hosts, the refusal of
foreign origins, and a cookie that only same-site requests carry; no header ever allows another origin anything.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from agentr_view.answers import as_json

#: 256 bits.
TOKEN_BYTES = 32
#: ``{scripts}``: hashes of scripts that stand in a page (its import map).
POLICY = (
    "default-src 'none'; script-src 'self'{scripts}; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Keys:
    """The token of the link, good for one browser; and what that browser's cookie holds from then on.

    ``renewed`` is told the next token when one has been used.
    """

    def __init__(self, token: str, renewed: Callable[[str], None] = lambda token: None) -> None:
        self._token, self._renewed = token, renewed
        self._session = secrets.token_urlsafe(TOKEN_BYTES)

    def spend(self, token: str) -> str | None:
        """The cookie's value in exchange for the token, which is worth nothing from then on; None for a wrong one."""
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return None
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._renewed(self._token)
        return self._session

    def opens(self, cookie: str) -> bool:
        """Whether this is the cookie's value."""
        return hmac.compare_digest(cookie.encode(), self._session.encode())


class Guard:
    """In front of ``app``: lets through what :mod:`agentr_view.guard` says, and puts its headers on every answer.

    ``hosts``: the values of ``Host`` that are this server. ``root``: the path below which a proxy shows it.
    """

    def __init__(self, app: ASGIApp, keys: Keys, hosts: Iterable[str], *, cookie: str, root: str = "") -> None:
        self._app, self._keys, self._cookie, self._root = app, keys, cookie, root
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        if self._root and scope["path"].startswith(f"{self._root}/"):
            scope = {**scope, "path": scope["path"].removeprefix(self._root), "root_path": ""}
        answer = self._refused(scope) or self._entered(scope)
        await (answer or self._app)(scope, receive, _with_headers(send))

    def _refused(self, scope: Scope) -> Response | None:
        """Why the request is not listened to, whoever makes it."""
        headers = Headers(scope=scope)
        if scope["method"] not in ("GET", "HEAD"):
            return as_json({"error": "this server only shows: GET is all that it answers"}, 405, {"Allow": "GET, HEAD"})
        if [host.lower() for host in headers.getlist("host")] not in [[host] for host in self._hosts]:
            return as_json({"error": "this server does not go by that name; see agentr view --trusted-host"}, 403)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        foreign = origin is not None and origin.lower().partition("://")[2] not in self._hosts
        navigates = headers.get("sec-fetch-mode") == "navigate"
        if foreign or site == "cross-site" or (site == "same-site" and not navigates):
            return as_json({"error": "asked by the page of another site; type the address yourself"}, 403)
        return None

    def _entered(self, scope: Scope) -> Response | None:
        """The exchange of the link's token for the cookie, or the refusal of who has neither."""
        inside = self._keys.opens(_cookie(Headers(scope=scope), self._cookie))
        token = _token(scope["query_string"])
        if scope["path"] == "/" and token is not None:
            session = None if inside else self._keys.spend(token)
            if inside or session:
                return self._clean(session)
        if inside:
            return None
        told = "open the link that agentr view has printed; each is good for one browser, and a new one is printed then"
        return as_json({"error": told}, 401)

    def _clean(self, session: str | None) -> Response:
        """To the address without the token, so that it stands in no history."""
        answer = RedirectResponse(f"{self._root}/", 303, {"Cache-Control": "no-store"})
        if session is not None:
            answer.set_cookie(self._cookie, session, path=f"{self._root}/", httponly=True, samesite="strict")
        return answer


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers.setdefault("Content-Security-Policy", POLICY.format(scripts=""))
            headers.setdefault("Cache-Control", "private, no-cache")
        await send(message)

    return sending


def _token(query: bytes) -> str | None:
    """The token of an address; None where there is none."""
    found = parse_qs(query.decode("latin-1")).get("token")
    return found[0] if found else None


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""
