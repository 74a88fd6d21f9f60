from __future__ import annotations

import pytest

from agentr_core.records import Task
from agentr_core.store import EvalResult, Store, canonical_dump, open_store


def test_the_dump_leaves_out_times_processes_keys_and_folders(
    store: Store, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Runs that did the same at other times, in other folders, under other keys, are equal; another result is not."""

    def fill(store: Store, seconds: float, reward: float) -> list[str]:
        run = store.runs.create("run", {"out": str(store.path.parent / "out")}, seed=1)
        model = str(store.path.absolute().parent / "out" / run.short / "model")
        ids = store.tasks.save("textcraft", "1", [Task(key="t", split="train", instruction="Craft.")])
        row = store.evaluations.open(run.id, 1, "plain", model=model, split="test", config={"model": model})
        store.evaluations.save_result(row.id, EvalResult(task_id=ids["t"], reward=reward, elapsed_seconds=seconds))
        store.evaluations.finish(row.id, {"reward": reward, "nested": [{"model_seconds": seconds}]})
        store.runs.save_metrics(run.id, 1, "train", 0, {"tokens_per_second": seconds, "loss": 0.5})
        store.runs.set_status(run.id, "done")
        return list(canonical_dump(store))

    one = fill(store, 1.0, 0.5)
    with open_store(tmp_path_factory.mktemp("elsewhere") / "other.db") as other:
        assert fill(other, 2.0, 0.5) == one
    with open_store(tmp_path_factory.mktemp("elsewhere") / "other.db") as other:
        assert fill(other, 1.0, 0.75) != one
