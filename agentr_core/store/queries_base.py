"""What all queries share: selecting rows by equal columns, and conversations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from agentr_core.errors import UsageError
from agentr_core.records import Message
from agentr_core.store.columns import unpack_text
from agentr_core.store.connection import Store
from agentr_core.store.rows import Row

RowT = TypeVar("RowT", bound=Row)

_CONVERSATION = """
WITH RECURSIVE chain (parent, role, train, text, back) AS (
  SELECT parent, role, train, text, 0 FROM messages WHERE hash = ?
  UNION ALL
  SELECT m.parent, m.role, m.train, m.text, back + 1 FROM messages m JOIN chain ON m.hash = chain.parent)
SELECT role, train, coalesce(body, text) AS body FROM chain LEFT JOIN texts ON texts.hash = chain.text
ORDER BY back DESC
"""


class BaseQueries:
    """Selecting rows."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get_conversation(self, conversation: bytes) -> tuple[Message, ...]:
        """The messages of a conversation."""
        rows = self._store.all(_CONVERSATION, (conversation,))
        if not rows:
            raise UsageError(f"there is no conversation {conversation.hex()} in {self._store.path}")
        return tuple(Message(row["role"], unpack_text(row["body"]), bool(row["train"])) for row in rows)

    def _rows(self, kind: type[RowT], select: str, where: Mapping[str, Any], order: str) -> list[RowT]:
        """The rows of ``select`` whose columns equal ``where``; a column asked to be None may be anything."""
        wanted = {column: value for column, value in where.items() if value is not None}
        condition = " AND ".join(f"{column} = ?" for column in wanted) or "1"
        sql = f"{select} WHERE {condition} ORDER BY {order}"
        return [kind.read(row) for row in self._store.all(sql, tuple(wanted.values()))]

    def _by_id(self, kind: type[RowT], select: str, number: int, noun: str, id_column: str = "id") -> RowT:
        found = self._rows(kind, select, {id_column: number}, id_column)
        if not found:
            raise UsageError(f"there is no {noun} {number} in {self._store.path}; list them with: agentr {noun}s list")
        return found[0]
