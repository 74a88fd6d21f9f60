from __future__ import annotations

from dataclasses import replace

import pytest

from agentr_core.store import Store
from agentr_core.turns import Message

HEAD = (Message("system", "Rules."), Message("user", "Craft a chest."))
GOOD = (*HEAD, Message("assistant", "get 1 log", train=True), Message("user", "Got 1 log"))
BAD = (*HEAD, Message("assistant", "get 1 chest"), Message("user", "Could not find chest"))


def test_conversations_share_their_beginnings(store: Store) -> None:
    good, bad = store.conversations.save(GOOD), store.conversations.save(BAD)
    assert store.conversations.save(GOOD) == good != bad
    assert (store.conversations.get(good), store.conversations.get(bad)) == (GOOD, BAD)
    assert store.connection.counts()["messages"] == 6  # two of the head, two of each end
    untrained = tuple(replace(message, train=False) for message in GOOD)
    assert store.conversations.save(untrained) != good
    with pytest.raises(ValueError, match="at least one message"):
        store.conversations.save([])


def test_a_failed_transaction_leaves_neither_rows_nor_memory_of_them(store: Store) -> None:
    """A long text whose insertion was rolled back is stored when it is used again."""
    long = "z" * 1000
    with pytest.raises(RuntimeError), store.transaction():
        store.conversations.save([Message("user", long)])
        raise RuntimeError
    conversation = store.conversations.save([Message("user", long)])
    assert store.conversations.get(conversation) == (Message("user", long),)
