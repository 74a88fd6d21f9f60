"""The reference of the database: every table, column, index and view, from a database that was made for it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import agentr_core
from agentr_core.store.schema import SCHEMA_VERSION
from tools.docs.words import code, page, table

ABOUT = f"""\
What SQLite says of a database that agentr has just made (schema {SCHEMA_VERSION}). What a row of each table is, and
ten queries to begin with, are in [The database](../database.md). A file of an older version is brought up to date
when it is opened for writing."""


def schema_page() -> str:
    """The page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agentr.db"
        agentr_core.open_store(path).close()
        with sqlite3.connect(path) as shell:
            sections = [*_tables(shell), *_views(shell)]
        shell.close()
    return page("Database schema", ABOUT, sections)


def _named(shell: sqlite3.Connection, kind: str) -> list[tuple[str, str]]:
    rows = shell.execute("SELECT name, sql FROM sqlite_master WHERE type = ? ORDER BY name", (kind,)).fetchall()
    return [(name, sql) for name, sql in rows if not name.startswith(("_", "sqlite_"))]


def _tables(shell: sqlite3.Connection) -> Iterator[str]:
    for name, _ in _named(shell, "table"):
        links = {row[3]: f"{row[2]}.{row[4]}" for row in shell.execute(f"PRAGMA foreign_key_list({name})")}
        columns = shell.execute(f"PRAGMA table_info({name})").fetchall()
        yield f"## {name}"
        yield table(
            ("column", "type", "may be NULL", "key", "refers to"),
            [
                (code(column), kind, "" if needed or key else "yes", key or "", code(links.get(column, "")))
                for _, column, kind, needed, _, key in columns
            ],
        )
        if indexes := shell.execute(f"PRAGMA index_list({name})").fetchall():
            yield "Indexes: " + "; ".join(_index(shell, row[1], unique=row[2]) for row in indexes) + "."


def _index(shell: sqlite3.Connection, index: str, *, unique: int) -> str:
    columns = ", ".join(code(row[2]) for row in shell.execute(f"PRAGMA index_info({index})"))
    return f"{columns}{' (unique)' if unique else ''}"


def _views(shell: sqlite3.Connection) -> Iterator[str]:
    for name, sql in _named(shell, "view"):
        yield f"## {name} (a view)"
        yield f"```sql\n{sql}\n```"
