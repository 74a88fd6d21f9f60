"""Runs, and one run."""

from __future__ import annotations

from typing import Any

from agentr_view.asked import Asked
from agentr_view.pages.listing import as_list


def listing(store: Any, asked: Asked) -> dict[str, Any]:
    """All runs, newest first."""
    page = store.pages.runs(asked.cursor(int), asked.limit(), text=asked.text("q"))
    return as_list(page, lambda run: {"key": run.key, "short": run.short, "name": run.name, "status": run.status})
