"""What can go wrong at a server, each as one sentence and whether another attempt makes sense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

#: 408 time-out, 409 conflict, 425 too early, 429 too many requests; all of 5xx but 501 pass as well.
_PASSING = frozenset({408, 409, 425, 429})
_TOO_LONG = re.compile(
    r"context[ _](?:length|size|window)|too many tokens|prompt is too long|max_new_tokens` must be <=", re.IGNORECASE
)
_LIMIT = re.compile(
    r"(?:context (?:length|size|window)\D{0,20}|n_ctx\D{0,4}|max_new_tokens` must be <= )(\d{3,})", re.IGNORECASE
)
#: Words that say that a field is refused whatever its value: every further request would be refused as well.
_UNTAKEN = re.compile(
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed|forbidden|cannot both"
    r"|use only one|cannot find field|only the default",
    re.IGNORECASE,
)
#: Words of a 403 that is about the text of one prompt, not about the key: a router's or a provider's moderation.
_MODERATED = re.compile(r"moderat|flagged|content[ _](?:policy|filter|management)|safety|unsafe", re.IGNORECASE)
#: Names that servers give to errors in place of a number.
_CODES = {
    "invalid_request_error": 400, "authentication_error": 401, "invalid_api_key": 401, "insufficient_credits": 402,
    "permission_error": 403, "not_found_error": 404, "model_not_found": 404, "rate_limit_error": 429,
    "rate_limit_exceeded": 429, "insufficient_quota": 429, "api_error": 500, "server_error": 500,
    "overloaded_error": 529,
}  # fmt: skip


class Failure(Exception):
    """One attempt failed. ``retry``: another one may succeed; ``wait``: the seconds that the server asks for.

    ``down``: the server was not reached at all. ``usage``: what to change is in the user's settings. ``status``: the
    HTTP status, or the code of an error inside an answer. ``refused``: fields of the request that the server named.
    """

    def __init__(
        self,
        message: str,
        *,
        retry: bool,
        wait: float | None = None,
        down: bool = False,
        usage: bool = False,
        status: int | None = None,
        refused: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.retry, self.wait, self.down, self.usage = retry, wait, down, usage
        self.status, self.refused = status, refused


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request was: where it went, for which model, and which fields it had that are not always there."""

    url: str
    model: str
    key_env: str
    fields: tuple[str, ...] = ()


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
    status: int, headers: Mapping[str, str], body: Any, asked: Asked, *, how: str | None = None
) -> Failure:
    """What a response of 4xx or 5xx means; ``body`` is its JSON (its ``error`` where it has one) or text.

    ``how`` is what the status is called in the message where it is no HTTP status.
    """
    said, how, url = server_message(body), how or f"HTTP {status}", asked.url
    if status == 401 or (status == 403 and said == _NO_REASON):
        return _final(
            f"{url} refused the key ({how}): put a valid one into the environment variable {asked.key_env}, "
            "or name another with openai.api_key_env",
            status,
        )
    if status == 403:
        message = f"{url} refuses what it is asked, or the key in {asked.key_env} ({how}): {said}"
        return Failure(message, retry=False, usage=_MODERATED.search(said) is None, status=status)
    if status == 402:
        return _final(f"the account at {url} has no credit left ({how}): {said}", status)
    if status == 404:
        return _final(f"{url} has no model '{asked.model}' ({how})", status)
    if status in (400, 413, 422):
        return _refused(status, how, said, body, asked)
    if status == 429 and "insufficient_quota" in str(body):
        return _final(f"the account at {url} has no quota left: {said}", status)
    passing = status in _PASSING or (status >= 500 and status != 501)
    return Failure(f"{url} answered {how}: {said}", retry=passing, wait=retry_after(headers), status=status)


def error_inside(error: Any, asked: Asked) -> Failure:
    """What an error means that came with HTTP 200: the same as a response of that status, with the server's words."""
    status, said = _code(error), server_message(error)
    if status is None:
        return Failure(f"{asked.url} answered with an error: {said}", retry=True)
    failure = status_failure(status, {}, error, asked, how=f"error {status}")
    if said not in str(failure):
        failure.args = (f"{failure}; it says: {said}",)
    return failure


def _code(error: Any) -> int | None:
    if not isinstance(error, Mapping):
        return None
    for name in ("code", "status", "status_code", "type"):
        value = error.get(name)
        if isinstance(value, str) and value in _CODES:
            return _CODES[value]
        if str(value).isdigit() and 400 <= int(str(value)) < 600:
            return int(str(value))
    return None


def _final(message: str, status: int) -> Failure:
    return Failure(message, retry=False, usage=True, status=status)


def _refused(status: int, how: str, said: str, body: Any, asked: Asked) -> Failure:
    if _TOO_LONG.search(f"{said} {_named_code(body)}"):
        return Failure(_too_long(f"{said} {body}", asked), retry=False, status=status)
    refused = tuple(field for field in asked.fields if _names(field, said, body))
    advice = _advice(refused, said)
    lasting = bool(refused) and _UNTAKEN.search(said) is not None
    message = f"{asked.url} refused the request ({how}): {said}; {advice}"
    return Failure(message, retry=False, usage=lasting, status=status, refused=refused)


def _too_long(text: str, asked: Asked) -> str:
    limit = found[1] if (found := _LIMIT.search(text)) else "TOKENS"
    return (
        f"the conversation is longer than '{asked.model}' reads at {asked.url}: set openai.context_length={limit}, so "
        "that older turns are left out, or shorten the episodes"
    )


def _names(field: str, said: str, body: Any) -> bool:
    """Whether a refusal is about ``field``; ``n`` and ``stop`` are words besides, so they must look like fields."""
    if isinstance(body, Mapping) and body.get("param") == field:
        return True
    if field in ("n", "stop"):
        marked = rf"[`'\"]{field}[`'\"]|(?:parameter|field|argument|option):? {field}\b|\b{field}\s*[=><]|^{field}: "
        return re.search(marked, said) is not None
    return re.search(rf"(?<!\w){field}(?!\w)", said) is not None


def _advice(refused: Iterable[str], said: str) -> str:
    fields = list(refused)
    if "max_tokens" in fields and "max_completion_tokens" in said:
        return "set openai.max_tokens_field=max_completion_tokens"
    if {"temperature", "top_p"} <= set(fields):
        fields.remove("temperature")  # one of the two is enough, and the temperature says more
    if not fields:
        return "see the settings of openai, such as openai.n=one, openai.max_tokens_field and openai.extra_body"
    return f"leave out what it does not take with openai.omit={','.join(fields)}, or take it out of openai.extra_body"


def _named_code(body: Any) -> str:
    return f"{body.get('code', '')} {body.get('type', '')}" if isinstance(body, Mapping) else ""


_NO_REASON = "no reason given"


def server_message(body: Any, limit: int = 200) -> str:
    """The sentence in an error's body, on one line."""
    text = " ".join(_sentence(body).split())
    return (text if len(text) <= limit else text[: limit - 1] + "…") or _NO_REASON


def _sentence(body: Any) -> str:
    if isinstance(body, list):
        return "; ".join(_sentence(each) for each in body[:3])
    if not isinstance(body, Mapping):
        return str(body or "")
    if body.get("error"):
        return _sentence(body["error"])
    if "msg" in body:  # FastAPI's: where it is, and what
        return f"{'.'.join(str(part) for part in body.get('loc', ()) if part != 'body')}: {body['msg']}"
    metadata = body.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, Mapping) else None  # what the provider behind a router said
    said = _sentence(body.get("message") or body.get("detail"))
    return f"{said} ({raw})" if raw else said
