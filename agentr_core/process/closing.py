"""Closing what plugins made: a failure there is told, and stops nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

logger = logging.getLogger("agentr.closing")


@contextmanager
def closing(what: object) -> Iterator[None]:
    """Inside, ``what`` is closed. What it raises is a warning: its work is done and kept, and others are to be closed.

    Raised, it would take the place of the error that brought the run to its end.
    """
    try:
        yield
    except Exception as error:  # a plugin raises what it likes
        _warn(f"'{type(what).__name__}' could not be closed: {type(error).__name__}: {error}")


@cache
def _warn(said: str) -> None:
    """Once: every environment of a pool may say the same."""
    logger.warning("%s", said)
