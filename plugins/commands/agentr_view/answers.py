"""Answers: one JSON object, and a mark (``ETag``) by which an unchanged one need not be sent again."""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from agentr_core import AgentrError, NothingToDo, Store, StoreError, UsageError
from agentr_view.asked import Asked, BadRequest
from agentr_view.stores import Changes, Stores

#: Makes the answer to a request out of the store.
Page = Callable[[Store, Asked], dict[str, Any]]
Endpoint = Callable[[Request], Awaitable[Response]]
_log = logging.getLogger("agentr")


def endpoint(page: Page, stores: Stores, changes: Changes) -> Endpoint:
    """``page`` as an endpoint: made in a thread that reads, and not at all where nothing has changed."""

    async def answered(request: Request) -> Response:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(stores.pool, _answer, request, page, stores, changes)

    return answered


def _answer(request: Request, page: Page, stores: Stores, changes: Changes) -> Response:
    try:
        # Before the rows are read: what is newer than its mark is only sent once more.
        mark = f'"{changes.begun}-{changes.now()}"'
        if request.headers.get("if-none-match") == mark:
            return Response(status_code=304, headers={"ETag": mark})
        asked = Asked(request)
        made = page(stores.get(), asked)
        asked.check_all_read()
        return as_json(made, headers={"ETag": mark})
    except Exception as error:
        return refusal(error)


def refusal(error: Exception) -> Response:
    """What went wrong, in one sentence, with the status that says whose fault it is."""
    if isinstance(error, BadRequest):
        return as_json({"error": str(error)}, 400)
    if isinstance(error, UsageError | NothingToDo):
        return as_json({"error": str(error)}, 404)
    if isinstance(error, StoreError):
        return as_json({"error": str(error)}, 503)
    if not isinstance(error, AgentrError):
        _log.error("agentr view: a page failed", exc_info=error)
    return as_json({"error": f"this page failed: {type(error).__name__}: {error}"}, 500)


def as_json(value: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON object in ASCII: broken Unicode of a model comes through as it is, and a NaN as null."""
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), separators=(",", ":"))
    return Response(text, status, headers=headers, media_type="application/json")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
