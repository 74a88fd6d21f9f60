"""JSON out of requests and into answers."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response


class BadRequest(Exception):
    """A request that cannot be read: one sentence."""


def answer(content: Any, status: int = 200) -> Response:
    """``content`` as JSON in plain ASCII: half of a surrogate pair, which a model may write, has no UTF-8."""
    return Response(json.dumps(content).encode("ascii"), status, media_type="application/json")


async def body(request: Request) -> dict[str, Any]:
    """The JSON object of a request, empty where there is none."""
    raw = await request.body()
    try:
        found = json.loads(raw) if raw else {}
    except ValueError:
        raise BadRequest("the body is no JSON") from None
    if not isinstance(found, dict):
        raise BadRequest("the body must be a JSON object")
    return found


def finite(far: float | None) -> float | str | None:
    """A distance as JSON has it, which knows no infinity."""
    return "inf" if far == float("inf") else far
