from __future__ import annotations

from dataclasses import replace

from agentr_core.store import EvalResult, Store
from agentr_core.turns import Message

HEAD = (Message("system", "Rules."), Message("user", "Craft a chest."))
GOOD = (*HEAD, Message("assistant", "get 1 log", train=True), Message("user", "Got 1 log"))


def test_an_evaluation_keeps_one_row_a_task_and_repeat(store: Store, tree_id: int) -> None:
    row = store.evaluations.open(1, 0, "plain", model="m", split="test", config={"n": 1})
    failed = EvalResult(task_id=1, error="boom")
    store.evaluations.save_result(row.id, failed)
    fine = EvalResult(
        task_id=1, reward=1.0, score=1.0, success=True, steps=3, loops=1, elapsed_seconds=2.0, messages=GOOD
    )
    store.evaluations.save_result(row.id, fine)
    store.evaluations.save_result(row.id, replace(failed, repeat=1))
    first, second = store.evaluations.results(row.id)
    assert replace(first, conversation=None, messages=GOOD) == replace(fine, env="textcraft", task="t", attempts=1)
    assert first.conversation is not None and store.conversations.get(first.conversation) == GOOD
    assert (second.repeat, second.error, second.conversation) == (1, "boom", None)
    store.evaluations.finish(row.id, {"success": 0.5})
    again = store.evaluations.open(1, 0, "plain", model="m", split="test", config={"n": 1})
    assert (again.id, again.status, again.metrics) == (row.id, "done", {"success": 0.5})
    assert store.evaluations.open(1, 0, "plain", model="m", split="valid", config={"n": 1}).id != row.id
    assert store.evaluations.select(1, kind="plain")[0] == again
