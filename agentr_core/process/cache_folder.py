"""The folder for what is made or fetched once and can be made again, and taking turns in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder() -> Path:
    """``AGENTR_CACHE``, else ``agentr`` in the user's cache folder. A plugin keeps to a folder of its own below it."""
    if chosen := os.environ.get("AGENTR_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "agentr"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when its process dies. Does nothing where there are no such locks."""
    with path.open("w") as file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
