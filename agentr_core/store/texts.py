"""Long text once, and conversations that share their beginnings: both content-addressed.

Short text stands where it is used. Most of it is written once (an agent's turn) or is hardly longer than a hash (an
observation), and a hashed table takes one page of the log for each row: with every text hashed, a tree of 630 nodes
wrote 13 MB to the log instead of 1 MB.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from agentr_core.errors import UsageError
from agentr_core.store.columns import message_hash, pack_text, text_hash, unpack_text
from agentr_core.store.connection import Connection
from agentr_core.turns import Message

K = TypeVar("K", bound=Hashable)

#: Text up to this length stands in the row that uses it.
INLINE_CHARS = 256
#: How many entries one generation of :class:`Recent` holds.
RECENT_ENTRIES = 50_000

_CONVERSATION = """
WITH RECURSIVE chain (parent, role, train, text, back) AS (
  SELECT parent, role, train, text, 0 FROM messages WHERE hash = ?
  UNION ALL
  SELECT m.parent, m.role, m.train, m.text, back + 1 FROM messages m JOIN chain ON m.hash = chain.parent)
SELECT role, train, coalesce(body, text) AS body FROM chain LEFT JOIN texts ON texts.hash = chain.text
ORDER BY back DESC
"""


class Recent(Generic[K]):
    """The hashes of what was used last: two generations of at most ``limit`` entries, the older one dropped whole."""

    def __init__(self, limit: int = RECENT_ENTRIES) -> None:
        self.limit = limit
        self._young: dict[K, bytes] = {}
        self._old: dict[K, bytes] = {}

    def get(self, key: K) -> bytes | None:
        """The hash of ``key``, or None where it was not used lately."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: K, value: bytes) -> None:
        """Remember the hash of ``key``."""
        if len(self._young) >= self.limit:
            self._old, self._young = self._young, {}
        self._young[key] = value

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old = {}, {}


class Conversations:
    """Stores and finds conversations, and the long texts that other rows hold.

    What it remembers to be stored is in the file: a rollback makes it forget.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._texts: Recent[str] = Recent()
        self._messages: Recent[tuple[bytes | None, Message]] = Recent()
        connection.on_rollback += [self._texts.clear, self._messages.clear]

    def get(self, conversation: bytes) -> tuple[Message, ...]:
        """The messages of a conversation."""
        rows = self._connection.all(_CONVERSATION, (conversation,))
        if not rows:
            raise UsageError(f"there is no conversation {conversation.hex()} in {self._connection.path}")
        return tuple(Message(row["role"], unpack_text(row["body"]), bool(row["train"])) for row in rows)

    def save(self, messages: Sequence[Message]) -> bytes:
        """Store the messages that are new; the hash of the conversation, under which :meth:`get` finds it."""
        if not messages:
            raise ValueError("a conversation has at least one message")
        parent: bytes | None = None
        with self._connection.transaction():
            for message in messages:
                parent = self._save_message(parent, message)
        assert parent is not None
        return parent

    def _save_message(self, parent: bytes | None, message: Message) -> bytes:
        found = self._messages.get((parent, message))
        if found is None:
            found = message_hash(parent, message)
            row = (found, parent, message.role, message.train, self.intern(message.content))
            self._connection.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)", row)
            self._messages.put((parent, message), found)
        return found

    def intern(self, body: str) -> str | bytes:
        """The text itself where it is short, else its hash, under which it is stored now. Inside a transaction."""
        if len(body) <= INLINE_CHARS:
            packed = pack_text(body)
            if isinstance(packed, str):
                return packed
        found = self._texts.get(body)
        if found is None:
            found = text_hash(body)
            self._connection.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (found, pack_text(body)))
            self._texts.put(body, found)
        return found
