"""Locks that die with their process: who holds one is alive, whatever number it has.

A number says little: after a reboot or in a container it is somebody else's. Where the system has no such locks (it is
not POSIX), nobody is ever seen to hold one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Who asks whether a lock is held has it meanwhile; whoever takes it tries for so long.
MOMENT_SECONDS = 0.1


@contextmanager
def held(path: Path) -> Iterator[bool]:
    """Hold the lock of ``path``, whose file is there meanwhile; False where somebody else holds it.

    The same process may not hold a lock twice.
    """
    descriptor = _taken(path)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            with suppress(OSError):
                path.unlink()
            os.close(descriptor)


def is_held(path: Path) -> bool:
    """True while somebody holds the lock of ``path``."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _lock(descriptor, shared=True)  # as anybody else who asks: nobody takes another for a holder
    finally:
        os.close(descriptor)


def _taken(path: Path) -> int | None:
    """The open file with the lock; None where somebody else holds it."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        if not _lock_in_a_moment(descriptor):
            os.close(descriptor)
            return None
        with suppress(OSError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)  # the former holder has just taken the file away: make a new one


def _lock_in_a_moment(descriptor: int) -> bool:
    """As :func:`_lock`; one that somebody only asks about is free in a moment."""
    deadline = time.monotonic() + MOMENT_SECONDS
    while not _lock(descriptor):
        if time.monotonic() > deadline:
            return False
        time.sleep(MOMENT_SECONDS / 100)
    return True


def _lock(descriptor: int, *, shared: bool = False) -> bool:
    if os.name != "posix":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
