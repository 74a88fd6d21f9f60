"""What all lists share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def as_list(page: Any, item: Callable[[Any], dict[str, Any]], **beside: Any) -> dict[str, Any]:
    """A page of rows, and the cursor of the next one."""
    return {"items": [item(row) for row in page.items], "next": cursor(page.next), **beside}


def cursor(key: Any) -> str | None:
    """A key as the next address holds it."""
    return None if key is None else json.dumps(key, separators=(",", ":"))
