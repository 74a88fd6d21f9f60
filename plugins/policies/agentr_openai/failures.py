"""What can go wrong at a server, each as one sentence and whether another attempt makes sense."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

#: 408 time-out, 409 conflict, 425 too early, 429 too many requests; all of 5xx but 501 pass as well.
_PASSING = frozenset({408, 409, 425, 429})
_TOO_LONG = re.compile(r"context[ _](?:length|size|window)|too many tokens|prompt is too long", re.IGNORECASE)
_LIMIT = re.compile(r"(?:context (?:length|size|window)\D{0,20}|n_ctx\D{0,4})(\d{3,})", re.IGNORECASE)


class Failure(Exception):
    """One attempt failed. ``retry``: another one may succeed; ``wait``: the seconds that the server asks for.

    ``down``: the server was not reached at all. ``usage``: what to change is in the user's settings.
    """

    def __init__(
        self, message: str, *, retry: bool, wait: float | None = None, down: bool = False, usage: bool = False
    ) -> None:
        super().__init__(message)
        self.retry, self.wait, self.down, self.usage = retry, wait, down, usage


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds that ``Retry-After`` asks for (RFC 9110, section 10.2.3: seconds or a date), None where it is absent."""
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (date.astimezone(UTC) - (now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if seconds < float("inf") else None


def status_failure(
    status: int, headers: Mapping[str, str], body: Any, *, url: str, model: str, key_env: str
) -> Failure:
    """What a response of 4xx or 5xx means; ``body`` is its JSON (its ``error`` where it has one) or text."""
    said = server_message(body)
    if status in (401, 403):
        return Failure(
            f"{url} refused the key (HTTP {status}): put a valid one into the environment variable {key_env}, "
            "or name another with openai.api_key_env",
            retry=False,
            usage=True,
        )
    if status == 404:
        return Failure(f"{url} has no model '{model}' (HTTP 404)", retry=False, usage=True)
    if status in (400, 413, 422):
        return Failure(_refused(status, said, url, model), retry=False)
    if status == 429 and "insufficient_quota" in str(body):
        return Failure(f"the account at {url} has no quota left: {said}", retry=False)
    passing = status in _PASSING or (status >= 500 and status != 501)
    return Failure(f"{url} answered HTTP {status}: {said}", retry=passing, wait=retry_after(headers))


def _refused(status: int, said: str, url: str, model: str) -> str:
    if not _TOO_LONG.search(said):
        return (
            f"{url} refused the request (HTTP {status}): {said}; see the settings of openai, "
            "such as openai.n=one, openai.max_tokens_field and openai.extra_body"
        )
    limit = found[1] if (found := _LIMIT.search(said)) else "TOKENS"
    return (
        f"the conversation is longer than '{model}' reads at {url}: set openai.context_length={limit}, so that "
        "older turns are left out, or shorten the episodes"
    )


def server_message(body: Any, limit: int = 200) -> str:
    """The sentence in an error's body, on one line."""
    if isinstance(body, Mapping):
        inner = body.get("error", body)
        body = inner.get("message") or inner.get("detail") or "" if isinstance(inner, Mapping) else inner
    text = " ".join(str(body or "").split())
    return (text if len(text) <= limit else text[: limit - 1] + "…") or "no reason given"
