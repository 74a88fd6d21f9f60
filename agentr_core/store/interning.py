"""Text once: content-addressed texts and conversations, and the memory that spares hashing and inserting them again."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

from agentr_core.records import Message
from agentr_core.store.database import Store
from agentr_core.store.packing import message_hash, pack_text, text_hash

K = TypeVar("K", bound=Hashable)

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
    """Stores texts and conversations under their hashes. What it remembers is in the file: a rollback forgets it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._texts: Recent[str] = Recent()
        self._messages: Recent[tuple[bytes | None, Message]] = Recent()
        store.on_rollback += [self._texts.clear, self._messages.clear]

    def texts(self, bodies: Iterable[str]) -> list[bytes]:
        """Store each text that is new; the hashes, in order. Inside a transaction."""
        hashes, rows = [], []
        for body in bodies:
            found = self._texts.get(body)
            if found is None:
                found = text_hash(body)
                self._texts.put(body, found)
                rows.append((found, pack_text(body)))
            hashes.append(found)
        self._store.executemany("INSERT OR IGNORE INTO texts (hash, body) VALUES (?, ?)", rows)
        return hashes

    def conversation(self, messages: Sequence[Message]) -> bytes:
        """Store the messages that are new; the hash of the conversation. Inside a transaction."""
        if not messages:
            raise ValueError("a conversation has at least one message")
        parent: bytes | None = None
        rows = []
        for message, text in zip(messages, self.texts(message.content for message in messages), strict=True):
            found = self._messages.get((parent, message))
            if found is None:
                found = message_hash(parent, message, text)
                self._messages.put((parent, message), found)
                rows.append((found, parent, message.role, message.train, text))
            parent = found
        self._store.executemany(
            "INSERT OR IGNORE INTO messages (hash, parent, role, train, text) VALUES (?, ?, ?, ?, ?)", rows
        )
        assert parent is not None
        return parent
