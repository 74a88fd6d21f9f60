from __future__ import annotations

import pytest

from agentr_core.errors import UsageError
from agentr_core.records import Task
from agentr_core.store import Store


def test_tasks_keep_their_ids(store: Store) -> None:
    tasks = [
        Task(key=key, split="train", instruction=f"Craft {key}.", metadata={"depth": 2}, env="textcraft")
        for key in "cab"
    ]
    assert store.tasks.save("textcraft", "1", tasks) == {"c": 1, "a": 2, "b": 3}
    more = [tasks[2], Task(key="d", split="test", instruction="Craft d.")]
    assert store.tasks.save("textcraft", "1", more) == {"b": 3, "d": 4}
    assert store.tasks.save("textcraft", "2", tasks[:1]) == {"c": 5}
    assert store.tasks.get(2).task() == tasks[1]
    assert [row.key for row in store.tasks.select(env_version="1", split="train")] == ["c", "a", "b"]
    with pytest.raises(UsageError, match=r"there is no task 9 .* agentr tasks list"):
        store.tasks.get(9)


def test_a_task_whose_content_has_changed_is_another_task(store: Store) -> None:
    """The environment's settings have changed, and its version has not."""
    apples = Task(key="t1", split="train", instruction="Bring apples.", metadata={"goal": 1}, env="warehouse")
    bolts = apples.model_copy(update={"instruction": "Bring apples and bolts."})
    first, again = (store.tasks.save("warehouse", "1", [apples])["t1"] for _ in range(2))
    other = store.tasks.save("warehouse", "1", [bolts])["t1"]
    assert first == again != other
    assert store.tasks.get(other).task() == bolts and store.tasks.get(first).task() == apples
    assert store.tasks.save("warehouse", "1", [bolts])["t1"] == other
    assert store.tasks.save("warehouse", "1", [apples])["t1"] == first
