from __future__ import annotations

import json
from dataclasses import replace

from agentr_core.store import Preference, Sample, Store
from agentr_core.turns import Message

HEAD = (Message("system", "Rules."), Message("user", "Craft a chest."))
GOOD = (*HEAD, Message("assistant", "get 1 log", train=True), Message("user", "Got 1 log"))
BAD = (*HEAD, Message("assistant", "get 1 chest"), Message("user", "Could not find chest"))


def test_a_revised_tree_holds_what_was_saved_last(store: Store, tree_id: int) -> None:
    row = store.revisions.open(1, 1, "actor", {"n": 1}, model="m")
    good = Sample(tree_id=tree_id, kind="good", good_leaf=4, messages=GOOD, reward=1.0, good_reward=1.0)
    spliced = Sample(
        tree_id=tree_id,
        kind="revision",
        bad_leaf=3,
        good_leaf=4,
        divergence=1,
        cut=2,
        verified=False,
        bad_reward=0.0,
        good_reward=1.0,
        mismatches=1,
        kept=False,
        messages=BAD,
        origin={"critic": "actor"},
    )
    pair = Preference(
        tree_id=tree_id,
        node=0,
        chosen_leaf=4,
        rejected_leaf=3,
        chosen_reward=1.0,
        rejected_reward=0.0,
        chosen_messages=GOOD,
        rejected_messages=BAD,
    )
    store.revisions.save_tree(row.id, tree_id, [spliced, good], {"pairs": 1}, [pair])
    store.revisions.save_tree(row.id, tree_id, [replace(good, good_leaf=9), spliced], {"pairs": 9}, [pair])
    stored = store.revisions.samples(row.id)
    messages = [store.conversations.get(sample.conversation) for sample in stored]
    assert [replace(s, conversation=b"", messages=m) for s, m in zip(stored, messages, strict=True)] == [good, spliced]
    assert store.revisions.samples(row.id, kept=False) == [stored[1]]
    assert store.revisions.samples(row.id, kind="direct") == []
    assert store.revisions.trees(row.id) == {tree_id: {"pairs": 1}}
    (read,) = store.revisions.preferences(row.id)
    assert replace(read, chosen=b"", rejected=b"", chosen_messages=GOOD, rejected_messages=BAD) == pair
    assert [store.conversations.get(side) for side in (read.chosen, read.rejected)] == [GOOD, BAD]


def test_a_revision_set_is_one_critic_and_configuration(store: Store, tree_id: int) -> None:
    one = store.revisions.open(1, 1, "actor", {"n": 1}, model="m")
    two = store.revisions.open(1, 1, "actor", {"n": 2}, model="m")
    store.revisions.finish(one.id, {"pairs": 3})
    again = store.revisions.open(1, 1, "actor", {"n": 1}, model="m")
    assert (again.id, again.status, again.metrics) == (one.id, "done", {"pairs": 3})
    assert (two.id, two.status) == (one.id + 1, "running")
    assert store.revisions.select(1, critic="actor") == [again, two]
    assert store.revisions.newest(1) == again, "the one that is not done may be one that failed, and hold nothing"
    assert store.revisions.newest(1, critic="nobody") is None


def test_rows_print_as_json(store: Store, tree_id: int) -> None:
    row = store.revisions.open(1, 1, "actor", {}, model="m")
    sample = Sample(tree_id=tree_id, kind="good", good_leaf=4, messages=GOOD)
    store.revisions.save_tree(row.id, tree_id, [sample])
    read = replace(store.revisions.samples(row.id)[0], messages=GOOD)
    printed = json.loads(json.dumps(read.as_dict()))
    assert printed["messages"][2] == {"role": "assistant", "content": "get 1 log", "train": True}
    assert len(bytes.fromhex(printed["conversation"])) == 16
