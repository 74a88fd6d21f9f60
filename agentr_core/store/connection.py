"""One SQLite file: opening it, checking that it is ours, and the one way to write to it.

Rules that were measured: write-ahead log, ``synchronous=NORMAL``, foreign keys on, and every write inside
``BEGIN IMMEDIATE``: a deferred transaction that reads before it writes fails at once with "database is locked" when
another process wrote in between, however long the timeout. The log needs shared memory, so the file must not lie on a
network file system.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentr_core.errors import StoreError, UsageError
from agentr_core.store import schema

if TYPE_CHECKING:
    from sqlite_utils import Database

#: The first SQLite that knows strict tables. Python brings its own or takes the system's.
OLDEST_SQLITE = (3, 37, 0)
#: How long a write waits for another process, unless ``AGENTR_DB_TIMEOUT_SECONDS`` says otherwise.
TIMEOUT_SECONDS = 30.0
#: Of every connection. The log is copied into the file every 16 MB (SQLite: 4 MB), with a sync each time.
_PRAGMAS = ("synchronous=NORMAL", "foreign_keys=ON", "wal_autocheckpoint=4000", "cache_size=-32000")


def default_timeout() -> float:
    """Seconds that a write waits for another process."""
    text = os.environ.get("AGENTR_DB_TIMEOUT_SECONDS", "")
    try:
        return float(text) if text else TIMEOUT_SECONDS
    except ValueError:
        raise UsageError(f"AGENTR_DB_TIMEOUT_SECONDS: must be a number of seconds (got {text})") from None


class Connection:
    """An open file: its transactions and statements. Knows of no table.

    May be used from several threads: their transactions follow one another.
    """

    def __init__(self, path: Path, *, read_only: bool, timeout: float) -> None:
        self.path, self.read_only, self.timeout = path, read_only, timeout
        self._lock = threading.RLock()
        self._depth = 0
        #: Called after a transaction was rolled back: caches of what the file holds must forget.
        self.on_rollback: list[Callable[[], None]] = []
        with translated(path, timeout):
            self._connection = _connect(path, read_only, timeout)
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block, or none of them. Blocks nest: the outermost one commits."""
        with self._lock:
            if self._depth:
                yield
                return
            if self.read_only:
                raise StoreError(f"the database {self.path} was opened for reading only")
            with translated(self.path, self.timeout):
                yield from self._immediate()

    def _immediate(self) -> Iterator[None]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._depth = 1
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # A full disk may already have rolled it back.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            for forget in self.on_rollback:
                forget()
            raise
        finally:
            self._depth = 0

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All reads of the block see the file as it was at the first of them, whoever writes meanwhile.

        The log is not shortened while it lasts, so not for long. Inside a transaction, or another such block, nothing
        is to be done.
        """
        with self._lock, translated(self.path, self.timeout):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("ROLLBACK")

    def version(self) -> int:
        """A number that changes whenever another connection, of any process, has committed something."""
        return self._pragma("data_version")

    def execute(self, sql: str, values: Sequence[Any] = ()) -> int:
        """Run one writing statement inside :meth:`transaction`; how many rows it changed."""
        assert self._depth, "writes belong into a transaction"
        return self._connection.execute(sql, values).rowcount

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run one writing statement for each of ``rows`` inside :meth:`transaction`."""
        assert self._depth, "writes belong into a transaction"
        self._connection.executemany(sql, rows)

    def all(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[sqlite3.Row]:
        """The rows of a query; ``values`` by place, or by name."""
        with self._lock, translated(self.path, self.timeout):
            return self._connection.execute(sql, values).fetchall()

    def one(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Row | None:
        """The first row of a query, or None."""
        rows = self.all(sql, values)
        return rows[0] if rows else None

    def counts(self) -> dict[str, int]:
        """How many rows each table has, by name."""
        tables = self.all(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        return {name: self.all(f'SELECT count(*) FROM "{name}"')[0][0] for (name,) in tables}

    def status(self) -> dict[str, Any]:
        """Where the file is, its size and that of its log in bytes, its schema, and rows by table.

        Counting goes through the smallest index of each table: 6 ms for half a million nodes.
        """
        log = self.path.with_name(self.path.name + "-wal")
        return {
            "path": str(self.path.absolute()),
            "bytes": self.path.stat().st_size,
            "log_bytes": log.stat().st_size if log.exists() else 0,
            "schema": self._pragma("user_version"),
            "rows": self.counts(),
        }

    def integrity(self) -> str:
        """``ok``, or what is damaged first. Every page of the file is read for it."""
        return " ".join(str(self.all("PRAGMA quick_check(1)")[0][0]).split())

    def database(self) -> Database:
        """The file as a sqlite-utils ``Database`` over the same connection, for plugins that own tables."""
        from sqlite_utils import Database

        return Database(self._connection, execute_plugins=False)

    def backup(self, target: Path) -> None:
        """Copy the whole file, consistently, while others write to it. ``target`` must not exist."""
        if target.exists():
            raise StoreError(f"{target} exists already; name a file that does not")
        with translated(target, self.timeout), self._lock:
            copy = sqlite3.connect(target)
            try:
                self._connection.backup(copy)
            finally:
                copy.close()

    def close(self) -> None:
        """Close the file. May be called twice."""
        with self._lock:
            self._connection.close()

    def _prepare(self) -> None:
        """Check that the file is ours and up to date, and set the connection up."""
        state = self._state()
        if state == "old" and self.read_only:
            Connection(self.path, read_only=False, timeout=self.timeout).close()
        elif state == "old":
            self._make_wal()
            with self.transaction():
                self._migrate()
        for pragma in (*_PRAGMAS, f"query_only={int(self.read_only)}"):
            self._connection.execute(f"PRAGMA {pragma}")

    def _state(self) -> str:
        """``current``, or ``old`` where migrations are to be applied (a new file has had none)."""
        owner, version = self._pragma("application_id"), self._pragma("user_version")
        if owner == 0 and self.one("SELECT 1 FROM sqlite_master") is None:
            return "old"
        if owner != schema.APPLICATION_ID:
            raise StoreError(f"{self.path} is an SQLite database, but not one of agentr; name another file with --db")
        if version > schema.SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} was written by a newer agentr (schema {version}, this one knows "
                f"{schema.SCHEMA_VERSION}); upgrade with: pip install -U agentr-core"
            )
        return "current" if version == schema.SCHEMA_VERSION else "old"

    def _migrate(self) -> None:
        if self._state() == "current":  # another process was first
            return
        schema.migrations().apply(self.database())
        self._connection.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
        self._connection.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION}")

    def _make_wal(self) -> None:
        """Turn the write-ahead log on. SQLite does not wait here when another process does the same: try again."""
        deadline = time.monotonic() + self.timeout
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])


def schema_of(path: Path) -> int:
    """The schema version of a database of agentr, which is left as it is.

    Raises :class:`~agentr_core.errors.StoreError` where there is no file, or none of agentr's.
    """
    if not path.is_file():
        raise StoreError(f"there is no database at {path}")
    with translated(path, 0.0):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            owner = connection.execute("PRAGMA application_id").fetchone()[0]
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        finally:
            connection.close()
    if owner != schema.APPLICATION_ID:
        raise StoreError(f"{path} is an SQLite database, but not one of agentr")
    return int(version)


def check_sqlite() -> None:
    """:class:`~agentr_core.errors.StoreError` where this Python's SQLite is too old for the store's tables."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise StoreError(
            f"agentr needs SQLite {'.'.join(map(str, OLDEST_SQLITE[:2]))} or newer, and this Python is built with "
            f"{sqlite3.sqlite_version}; use a Python that brings its own SQLite (uv, conda, python.org)"
        )


def is_new(path: Path) -> bool:
    """Whether opening for writing would make the store: there is nothing at ``path`` yet, or an empty file."""
    return not path.exists() or (path.is_file() and path.stat().st_size == 0)


def _connect(path: Path, read_only: bool, timeout: float) -> sqlite3.Connection:
    check_sqlite()
    if path.is_dir():
        raise StoreError(f"{path} is a folder; name a database file with --db")
    if read_only and not path.exists():
        raise StoreError(f"there is no database at {path}; start a run, or name another file with --db")
    if read_only and is_new(path):  # reading must not make a database of it
        raise StoreError(f"the file {path} is empty, so no database; start a run, or name another file with --db")
    if not path.parent.is_dir():
        raise StoreError(f"the folder of the database does not exist: make {path.parent}, or name another with --db")
    uri = f"{path.absolute().as_uri()}?{_mode(path, read_only)}"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    return connection


def _mode(path: Path, read_only: bool) -> str:
    if not read_only:
        return "mode=rwc"
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return "mode=rw"  # so that closing takes the log's files away again; query_only keeps us from writing
    # The log's index could not be made; without a log nobody is writing.
    return "mode=ro" if path.with_name(path.name + "-wal").exists() else "mode=ro&immutable=1"


_ADVICE = {
    sqlite3.SQLITE_NOTADB: "{path} is not an SQLite database; name another file with --db",
    sqlite3.SQLITE_CORRUPT: "the database {path} is damaged ({error}); restore a backup",
    sqlite3.SQLITE_BUSY: "the database {path} was locked by another process for {timeout:g} seconds; try again later",
    sqlite3.SQLITE_LOCKED: "the database {path} was locked by another process for {timeout:g} seconds; try again later",
    sqlite3.SQLITE_READONLY: "the database {path} cannot be written: make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "the database {path} cannot be opened: check that its folder exists and is writable",
    sqlite3.SQLITE_PERM: "the database {path} cannot be opened: check its permissions",
    sqlite3.SQLITE_FULL: "the disk is full, so {path} cannot be written; free some space and resume the run",
    sqlite3.SQLITE_IOERR: "reading or writing {path} failed ({error}); check the disk and its free space",
}


@contextmanager
def translated(path: Path, timeout: float) -> Iterator[None]:
    """Turn SQLite's errors into a :class:`~agentr_core.errors.StoreError` that says what to do."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        advice = _ADVICE.get(code, "the database {path} cannot be used: {error}")
        raise StoreError(advice.format(path=path, error=error, timeout=timeout)) from error
