"""The folder for what was made or fetched once, and taking turns in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """Where this package keeps what it made or fetched: ``webshop`` in ``AGENTR_CACHE`` or in the user's cache."""
    if chosen := os.environ.get("AGENTR_CACHE"):
        return Path(chosen).expanduser() / "webshop"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "agentr" / "webshop"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when its process dies."""
    with path.open("w") as file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
