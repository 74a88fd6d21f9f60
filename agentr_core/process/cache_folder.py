"""The folder for what is made or fetched once and can be made again, and taking turns in it."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from agentr_core.errors import UsageError

logger = logging.getLogger("agentr.cache")


def cache_folder() -> Path:
    """``AGENTR_CACHE``, else ``agentr`` in the user's cache folder. A plugin keeps to a folder of its own below it.

    A user without a home gets a temporary folder, with a warning.
    """
    chosen, general = os.environ.get("AGENTR_CACHE"), os.environ.get("XDG_CACHE_HOME")
    try:
        return Path(chosen).expanduser() if chosen else Path(general or "~/.cache").expanduser() / "agentr"
    except RuntimeError:  # no HOME, and no entry for this user
        return _temporary_folder()


@cache
def _temporary_folder() -> Path:
    """A folder of this user's where temporary files go; :class:`~agentr_core.errors.UsageError` if it is another's."""
    folder = Path(tempfile.gettempdir()) / (f"agentr-{os.getuid()}" if os.name == "posix" else "agentr")
    folder.mkdir(mode=0o700, exist_ok=True)
    if os.name == "posix" and folder.stat().st_uid != os.getuid():
        raise UsageError(f"this user has no home folder, and {folder} is another user's; set AGENTR_CACHE to a folder")
    logger.warning(
        "this user has no home folder: what is fetched goes to %s; AGENTR_CACHE names another folder", folder
    )
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when its process dies. Does nothing where there are no such locks."""
    with path.open("w") as file:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
