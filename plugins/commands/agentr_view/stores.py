"""The store as the server reads it: open once in each thread, and a number that changes when anything in it does.

A database that is removed, or has another put in its place, stays readable for whoever has it open: so before each
answer it is asked which file has the name.
"""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentr_core import Store, StoreError, open_store

#: Threads that read, each with a connection; requests beyond wait their turn.
READERS = 4
#: Pages that a connection keeps in memory, in KiB: the system keeps the file in its own cache as well.
CACHE_KIB = 8_000


def identity(path: Path) -> tuple[int, int] | None:
    """Which file has this name; None for none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Stores:
    """The project's store, open for reading only, once in each of a few threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pool = ThreadPoolExecutor(READERS, thread_name_prefix="agentr-view")
        self._own = threading.local()
        self._opened: list[Store] = []

    def get(self) -> Store:
        """The store of this thread; raises :class:`~agentr_core.StoreError` where the file has gone."""
        store: Store | None = getattr(self._own, "store", None)
        file = identity(self.path)
        if store is not None and file != self._own.file:
            self._opened.remove(store)
            self._own.store = None
            store.close()
            store = None
        if store is None:
            store, self._own.file = _opened(self.path), file
            self._own.store = store
            self._opened.append(store)
        return store

    def close(self) -> None:
        """Close all of them; nothing may be asked any more."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        for store in self._opened:
            store.close()


class Changes:
    """Counts changes of the store that any other process made, of which file it is, and of which runs are worked on.

    One connection is asked for ``PRAGMA data_version``, which is a number of that connection alone. Whether a run's
    process is alive is no row, so the runs that say they are running are looked at as well.
    """

    def __init__(self, path: Path) -> None:
        #: Tells what this server counted from what another did.
        self.begun = secrets.token_hex(4)
        self._path, self._file = path, identity(path)
        self._store: Store | None = _opened(path)
        self._lock = threading.Lock()
        self._count, self._version = 0, -1
        self._running: list[Any] = []
        self._seen: tuple[int, list[int]] | None = None

    def now(self) -> int:
        """The number of changes so far, from 1."""
        with self._lock:
            store = self._followed()
            if store is None:
                return self._count
            version = store.connection.version()
            if version != self._version:
                self._version, self._running = version, store.runs.select(status="running")
            seen = (version, [run.id for run in self._running if store.runs.is_alive(run)])
            if seen != self._seen:
                self._seen, self._count = seen, self._count + 1
            return self._count

    def _followed(self) -> Store | None:
        """The store of the file that has the name now; None while none has, or one that is no store (yet)."""
        file = identity(self._path)
        if file != self._file:
            self._close()
            self._file, self._count, self._version, self._seen = file, self._count + 1, -1, None
        if self._store is None and file is not None:
            with suppress(StoreError):
                self._store = _opened(self._path)
        return self._store

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
        self._store = None


def _opened(path: Path) -> Store:
    store = open_store(path, read_only=True)
    store.connection.all(f"PRAGMA cache_size=-{CACHE_KIB}")
    return store
