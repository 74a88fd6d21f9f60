"""Long text once, and conversations that share their beginnings: both content-addressed.

Short text stands where it is used. Most of it is written once (an agent's turn) or is hardly longer than a hash (an
observation), and a hashed table takes one page of the log for each row: with every text hashed, a tree of 630 nodes
wrote 13 MB to the log instead of 1 MB.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from agentr_core.records import Message
from agentr_core.store.columns import message_hash, pack_text, text_hash
from agentr_core.store.connection import Store

K = TypeVar("K", bound=Hashable)

#: Text up to this length stands in the row that uses it.
INLINE_CHARS = 256
#: How many entries one generation of :class:`Recent` holds.
RECENT_ENTRIES = 50_000


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


class Interner:
    """Stores texts and conversations once. What it remembers is in the file: a rollback makes it forget."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._texts: Recent[str] = Recent()
        self._messages: Recent[tuple[bytes | None, Message]] = Recent()
        store.on_rollback += [self._texts.clear, self._messages.clear]

    def text(self, body: str) -> str | bytes:
        """The text itself where it is short, else its hash, under which it is stored now. Inside a transaction."""
        if len(body) <= INLINE_CHARS:
            packed = pack_text(body)
            if isinstance(packed, str):
                return packed
        found = self._texts.get(body)
        if found is None:
            found = text_hash(body)
            self._store.execute("INSERT OR IGNORE INTO texts VALUES (?, ?)", (found, pack_text(body)))
            self._texts.put(body, found)
        return found

    def conversation(self, messages: Sequence[Message]) -> bytes:
        """Store the messages that are new; the hash of the conversation. Inside a transaction."""
        if not messages:
            raise ValueError("a conversation has at least one message")
        parent: bytes | None = None
        for message in messages:
            found = self._messages.get((parent, message))
            if found is None:
                found = message_hash(parent, message)
                row = (found, parent, message.role, message.train, self.text(message.content))
                self._store.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?, ?)", row)
                self._messages.put((parent, message), found)
            parent = found
        assert parent is not None
        return parent
