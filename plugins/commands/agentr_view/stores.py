"""The store as the server reads it: open once in each thread, and a number that changes when anything in it does."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agentr_core import Store, open_store

#: Threads that read, each with a connection; requests beyond wait their turn.
READERS = 4
#: Pages that a connection keeps in memory, in KiB: the system keeps the file in its own cache as well.
CACHE_KIB = 8_000


class Stores:
    """The project's store, open for reading only, once in each of a few threads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pool = ThreadPoolExecutor(READERS, thread_name_prefix="agentr-view")
        self._own = threading.local()
        self._opened: list[Store] = []

    def get(self) -> Store:
        """The store of this thread."""
        store: Store | None = getattr(self._own, "store", None)
        if store is None:
            store = self._own.store = _opened(self.path)
            self._opened.append(store)
        return store

    def close(self) -> None:
        """Close all of them; nothing may be asked any more."""
        self.pool.shutdown(wait=True, cancel_futures=True)
        for store in self._opened:
            store.close()


class Changes:
    """Counts changes of the store that any other process made, and of which runs are being worked on.

    One connection is asked for ``PRAGMA data_version``, which is a number of that connection alone. Whether a run's
    process is alive is no row, so the runs that say they are running are looked at as well.
    """

    def __init__(self, path: Path) -> None:
        #: Tells what this server counted from what another did.
        self.begun = secrets.token_hex(4)
        self._store = _opened(path)
        self._lock = threading.Lock()
        self._count, self._version = 0, -1
        self._running = self._store.runs.select(status="running")
        self._seen: tuple[int, list[int]] | None = None

    def now(self) -> int:
        """The number of changes so far, from 1."""
        with self._lock:
            version = self._store.connection.all("PRAGMA data_version")[0][0]
            if version != self._version:
                self._version, self._running = version, self._store.runs.select(status="running")
            seen = (version, [run.id for run in self._running if self._store.runs.is_alive(run)])
            if seen != self._seen:
                self._seen, self._count = seen, self._count + 1
            return self._count

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._store.close()


def _opened(path: Path) -> Store:
    store = open_store(path, read_only=True)
    store.connection.all(f"PRAGMA cache_size=-{CACHE_KIB}")
    return store
