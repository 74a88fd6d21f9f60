"""What all topics share: rows by equal columns, and by their number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from agentr_core.errors import UsageError
from agentr_core.store.connection import Connection
from agentr_core.store.rows import Row

RowT = TypeVar("RowT", bound=Row)


def select_rows(
    connection: Connection, kind: type[RowT], query: str, where: Mapping[str, Any], order: str
) -> list[RowT]:
    """The rows of ``query`` whose columns equal ``where``; a column asked to be None may be anything."""
    wanted = {column: value for column, value in where.items() if value is not None}
    condition = " AND ".join(f"{column} = ?" for column in wanted) or "1"
    sql = f"{query} WHERE {condition} ORDER BY {order}"
    return [kind.read(row) for row in connection.all(sql, tuple(wanted.values()))]


def row_by_id(
    connection: Connection, kind: type[RowT], query: str, number: int, noun: str, id_column: str = "id"
) -> RowT:
    """The row of ``query`` with this number; :class:`~agentr_core.errors.UsageError` where there is none."""
    found = select_rows(connection, kind, query, {id_column: number}, id_column)
    if not found:
        raise UsageError(f"there is no {noun} {number} in {connection.path}; list them with: agentr {noun}s list")
    return found[0]
