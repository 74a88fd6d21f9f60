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
from agentr_core.store.events import Values, Written
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


class Packer:
    """Texts and conversations as rows hold them, and the rows of those that are new.

    What it remembers is in the file, or on its way there: whoever takes :meth:`written` stores it.
    """

    def __init__(self) -> None:
        self._texts: Recent[str] = Recent()
        self._messages: Recent[tuple[bytes | None, Message]] = Recent()
        self._new_texts: list[Values] = []
        self._new_messages: list[Values] = []

    def text(self, body: str) -> str | bytes:
        """The text itself where it is short, else its hash."""
        if len(body) <= INLINE_CHARS:
            packed = pack_text(body)
            if isinstance(packed, str):
                return packed
        found = self._texts.get(body)
        if found is None:
            found = text_hash(body)
            self._new_texts.append((found, pack_text(body)))
            self._texts.put(body, found)
        return found

    def conversation(self, messages: Sequence[Message]) -> bytes:
        """The hash of a conversation, which has at least one message."""
        if not messages:
            raise ValueError("a conversation has at least one message")
        parent: bytes | None = None
        for message in messages:
            parent = self._message(parent, message)
        assert parent is not None
        return parent

    def _message(self, parent: bytes | None, message: Message) -> bytes:
        found = self._messages.get((parent, message))
        if found is None:
            found = message_hash(parent, message)
            self._new_messages.append((found, parent, message.role, message.train, self.text(message.content)))
            self._messages.put((parent, message), found)
        return found

    def written(self) -> Written:
        """The rows that are new since the last call."""
        if not (self._new_texts or self._new_messages):
            return _NOTHING
        texts, messages = tuple(self._new_texts), tuple(self._new_messages)
        self._new_texts, self._new_messages = [], []
        return Written(texts, messages)

    def forget(self) -> None:
        """What was remembered may not be in the file after all."""
        self._texts.clear()
        self._messages.clear()


_NOTHING = Written()


class Conversations:
    """Stores and finds conversations, and the long texts that other rows hold.

    ``packer`` makes what events hold; a rollback makes it forget.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection, self.packer = connection, Packer()
        connection.on_rollback.append(self.packer.forget)

    def get(self, conversation: bytes) -> tuple[Message, ...]:
        """The messages of a conversation."""
        rows = self._connection.all(_CONVERSATION, (conversation,))
        if not rows:
            raise UsageError(f"there is no conversation {conversation.hex()} in {self._connection.path}")
        return tuple(Message(row["role"], unpack_text(row["body"]), bool(row["train"])) for row in rows)

    def save(self, messages: Sequence[Message]) -> bytes:
        """Store the messages that are new; the hash of the conversation, under which :meth:`get` finds it."""
        with self._connection.transaction():
            conversation = self.packer.conversation(messages)
            self.insert(self.packer.written())
        return conversation

    def insert(self, written: Written) -> None:
        """Store what an event brings of texts and messages; what is there already stays. Inside a transaction."""
        if written.texts:
            self._connection.executemany("INSERT OR IGNORE INTO texts VALUES (?, ?)", written.texts)
        if written.messages:
            self._connection.executemany("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)", written.messages)
