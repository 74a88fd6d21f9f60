from __future__ import annotations

from pathlib import Path

from agentr_core.store import Store
from agentr_core.turns import Example, Message, TrainingSet

HEAD = (Message("system", "Rules."), Message("user", "Craft a chest."))
GOOD = (*HEAD, Message("assistant", "get 1 log", train=True), Message("user", "Got 1 log"))
BAD = (*HEAD, Message("assistant", "get 1 chest"), Message("user", "Could not find chest"))


def test_a_dataset_is_its_name_and_content(store: Store, tree_id: int) -> None:
    examples = (Example(GOOD, "good", {"tree": 1}), Example(BAD, "revision", {"tree": 1, "cut": 2}))
    first = store.datasets.save(1, 1, "agent-r", examples, recipe="agent-r", content_hash="h1")
    again = store.datasets.save(1, 1, "agent-r", examples, recipe="agent-r", content_hash="h1")
    assert again == first and len(store.datasets.items(first.id)) == 2
    row = store.datasets.save(1, 1, "agent-r", examples[::-1], recipe="agent-r", content_hash="h2", config={"eta": 1})
    assert (row.id, row.content_hash, row.n_examples, row.config) == (first.id + 1, "h2", 2, {"eta": 1})
    assert store.datasets.load(row.id) == TrainingSet("agent-r", examples[::-1], "h2")
    assert [item.kind for item in store.datasets.items(row.id)] == ["revision", "good"]
    assert store.datasets.select(1, name="agent-r") == [first, row]


def test_a_checkpoint_is_complete_last(store: Store, tree_id: int) -> None:
    data = store.datasets.save(1, 1, "d", (), recipe="good", content_hash="h")
    made = store.checkpoints.open(1, 1, data.id, "sft", base_model="b", start_model="s", path="a")
    assert not made.complete
    again = store.checkpoints.open(1, 1, data.id, "sft", base_model="b", start_model="s", path="b")
    assert (again.id, again.path) == (made.id, str(Path("b").absolute()))
    assert store.checkpoints.select(1, complete=True) == []
    store.checkpoints.finish(made.id, step=7, metrics={"loss": 0.5}, path="c")
    done = store.checkpoints.open(1, 1, data.id, "sft", base_model="b", start_model="s", path="d")
    assert (done.complete, done.step, done.path, done.metrics) == (True, 7, str(Path("c").absolute()), {"loss": 0.5})
    assert store.checkpoints.get(made.id) == done
    other = store.checkpoints.open(
        1, 1, data.id, "sft", base_model="b", start_model="s", path="e", config={"epochs": 2}
    )
    assert (other.id != made.id, other.config) == (True, {"epochs": 2})
