from __future__ import annotations

import json
from dataclasses import replace

import pytest

from agentr_core.records import Example, Message, Task, TrainingSet
from agentr_core.store import EvalResult, Preference, Sample, Store, TreePlan, canonical_dump, open_store

HEAD = (Message("system", "Rules."), Message("user", "Craft a chest."))
GOOD = (*HEAD, Message("assistant", "get 1 log", train=True), Message("user", "Got 1 log"))
BAD = (*HEAD, Message("assistant", "get 1 chest"), Message("user", "Could not find chest"))


@pytest.fixture
def tree_id(store: Store) -> int:
    run = store.writer.create_run("run", {}, seed=1)
    ids = store.writer.add_tasks("textcraft", "1", [Task(key="t", split="train", instruction="Craft.")])
    plans = [TreePlan(ids["t"], repeat, 5) for repeat in range(2)]
    return store.writer.plan_trees(run.id, 1, plans, searcher="mcts", searcher_hash="h", model="m")[0].id


def test_conversations_share_their_beginnings(store: Store) -> None:
    good, bad = store.writer.put_conversation(GOOD), store.writer.put_conversation(BAD)
    assert store.writer.put_conversation(GOOD) == good != bad
    assert (store.queries.get_conversation(good), store.queries.get_conversation(bad)) == (GOOD, BAD)
    assert store.queries.counts()["messages"] == 6  # two of the head, two of each end
    untrained = tuple(replace(message, train=False) for message in GOOD)
    assert store.writer.put_conversation(untrained) != good
    with pytest.raises(ValueError, match="at least one message"):
        store.writer.put_conversation([])


def test_a_revised_tree_holds_what_was_saved_last(store: Store, tree_id: int) -> None:
    row = store.writer.open_revision_set(1, 1, "actor", {"n": 1}, model="m")
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
    store.writer.save_revised_tree(row.id, tree_id, [replace(good, good_leaf=9), spliced], {"pairs": 9}, [pair])
    store.writer.save_revised_tree(row.id, tree_id, [spliced, good], {"pairs": 1}, [pair])
    stored = store.queries.samples(row.id)
    messages = [store.queries.get_conversation(sample.conversation) for sample in stored]
    assert [replace(s, conversation=b"", messages=m) for s, m in zip(stored, messages, strict=True)] == [good, spliced]
    assert store.queries.samples(row.id, kept=False) == [stored[1]]
    assert store.queries.samples(row.id, kind="direct") == []
    assert store.queries.revised_trees(row.id) == {tree_id: {"pairs": 1}}
    (read,) = store.queries.preferences(row.id)
    assert replace(read, chosen=b"", rejected=b"", chosen_messages=GOOD, rejected_messages=BAD) == pair
    assert [store.queries.get_conversation(side) for side in (read.chosen, read.rejected)] == [GOOD, BAD]


def test_a_revision_set_is_one_critic_and_configuration(store: Store, tree_id: int) -> None:
    one = store.writer.open_revision_set(1, 1, "actor", {"n": 1}, model="m")
    two = store.writer.open_revision_set(1, 1, "actor", {"n": 2}, model="m")
    store.writer.finish_revision_set(one.id, {"pairs": 3})
    again = store.writer.open_revision_set(1, 1, "actor", {"n": 1}, model="m")
    assert (again.id, again.status, again.metrics) == (one.id, "done", {"pairs": 3})
    assert (two.id, two.status) == (one.id + 1, "running")
    assert store.queries.revision_sets(1, critic="actor") == [again, two]


def test_a_dataset_is_its_name_and_content(store: Store, tree_id: int) -> None:
    examples = (Example(GOOD, "good", {"tree": 1}), Example(BAD, "revision", {"tree": 1, "cut": 2}))
    first = store.writer.save_dataset(1, 1, "agent-r", examples, recipe="agent-r", content_hash="h1")
    again = store.writer.save_dataset(1, 1, "agent-r", examples, recipe="agent-r", content_hash="h1")
    assert again == first and len(store.queries.dataset_items(first.id)) == 2
    row = store.writer.save_dataset(
        1, 1, "agent-r", examples[::-1], recipe="agent-r", content_hash="h2", config={"eta": 1}
    )
    assert (row.id, row.content_hash, row.n_examples, row.config) == (first.id + 1, "h2", 2, {"eta": 1})
    assert store.queries.training_set(row.id) == TrainingSet("agent-r", examples[::-1], "h2")
    assert [item.kind for item in store.queries.dataset_items(row.id)] == ["revision", "good"]
    assert store.queries.datasets(1, name="agent-r") == [first, row]


def test_a_checkpoint_is_complete_last(store: Store, tree_id: int) -> None:
    data = store.writer.save_dataset(1, 1, "d", (), recipe="good", content_hash="h")
    made = store.writer.save_checkpoint(1, 1, data.id, "sft", base_model="b", start_model="s", path="a")
    assert not made.complete
    again = store.writer.save_checkpoint(1, 1, data.id, "sft", base_model="b", start_model="s", path="b")
    assert (again.id, again.path) == (made.id, "b")
    assert store.queries.checkpoints(1, complete=True) == []
    store.writer.complete_checkpoint(made.id, step=7, metrics={"loss": 0.5}, path="c")
    done = store.writer.save_checkpoint(1, 1, data.id, "sft", base_model="b", start_model="s", path="d")
    assert (done.complete, done.step, done.path, done.metrics) == (True, 7, "c", {"loss": 0.5})
    assert store.queries.checkpoint(made.id) == done
    other = store.writer.save_checkpoint(
        1, 1, data.id, "sft", base_model="b", start_model="s", path="e", config={"epochs": 2}
    )
    assert (other.id != made.id, other.config) == (True, {"epochs": 2})


def test_an_evaluation_keeps_one_row_a_task_and_repeat(store: Store, tree_id: int) -> None:
    row = store.writer.open_eval(1, 0, "plain", model="m", split="test", config={"n": 1})
    failed = EvalResult(task_id=1, error="boom")
    store.writer.save_eval_result(row.id, failed)
    fine = EvalResult(
        task_id=1, reward=1.0, score=1.0, success=True, steps=3, loops=1, elapsed_seconds=2.0, messages=GOOD
    )
    store.writer.save_eval_result(row.id, fine)
    store.writer.save_eval_result(row.id, replace(failed, repeat=1))
    first, second = store.queries.eval_results(row.id)
    assert replace(first, conversation=None, messages=GOOD) == replace(fine, task="t")
    assert first.conversation is not None and store.queries.get_conversation(first.conversation) == GOOD
    assert (second.repeat, second.error, second.conversation) == (1, "boom", None)
    store.writer.finish_eval(row.id, {"success": 0.5})
    again = store.writer.open_eval(1, 0, "plain", model="m", split="test", config={"n": 1})
    assert (again.id, again.status, again.metrics) == (row.id, "done", {"success": 0.5})
    assert store.writer.open_eval(1, 0, "plain", model="m", split="valid", config={"n": 1}).id != row.id
    assert store.queries.evals(1, kind="plain")[0] == again


def test_rows_print_as_json(store: Store, tree_id: int) -> None:
    row = store.writer.open_revision_set(1, 1, "actor", {}, model="m")
    sample = Sample(tree_id=tree_id, kind="good", good_leaf=4, messages=GOOD)
    store.writer.save_revised_tree(row.id, tree_id, [sample])
    read = replace(store.queries.samples(row.id)[0], messages=GOOD)
    printed = json.loads(json.dumps(read.as_dict()))
    assert printed["messages"][2] == {"role": "assistant", "content": "get 1 log", "train": True}
    assert len(bytes.fromhex(printed["conversation"])) == 16


def test_the_dump_leaves_out_times_processes_keys_and_folders(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Runs that did the same at other times, in other folders, under other keys, are equal; another result is not."""

    def fill(store: Store, seconds: float, reward: float) -> list[str]:
        run = store.writer.create_run("run", {"out": str(store.path.parent / "out")}, seed=1)
        model = str(store.path.absolute().parent / "out" / run.short / "model")
        ids = store.writer.add_tasks("textcraft", "1", [Task(key="t", split="train", instruction="Craft.")])
        row = store.writer.open_eval(run.id, 1, "plain", model=model, split="test", config={"model": model})
        store.writer.save_eval_result(row.id, EvalResult(task_id=ids["t"], reward=reward, elapsed_seconds=seconds))
        store.writer.finish_eval(row.id, {"reward": reward, "nested": [{"model_seconds": seconds}]})
        store.writer.add_metrics(run.id, 1, "train", 0, {"tokens_per_second": seconds, "loss": 0.5})
        store.writer.set_run_status(run.id, "done")
        return list(canonical_dump(store))

    one = fill(store, 1.0, 0.5)
    with open_store(tmp_path_factory.mktemp("elsewhere") / "other.db") as other:
        assert fill(other, 2.0, 0.5) == one
    with open_store(tmp_path_factory.mktemp("elsewhere") / "other.db") as other:
        assert fill(other, 1.0, 0.75) != one
