from __future__ import annotations

import pytest

from agentr_core.errors import UsageError
from agentr_core.records import Task
from agentr_core.store import Store


def test_tasks_keep_their_ids(store: Store) -> None:
    tasks = [Task(key=key, split="train", instruction=f"Craft {key}.", metadata={"depth": 2}) for key in "cab"]
    assert store.tasks.save("textcraft", "1", tasks) == {"c": 1, "a": 2, "b": 3}
    more = [tasks[2], Task(key="d", split="test", instruction="Craft d.")]
    assert store.tasks.save("textcraft", "1", more) == {"b": 3, "d": 4}
    assert store.tasks.save("textcraft", "2", tasks[:1]) == {"c": 5}
    assert store.tasks.get(2).task() == tasks[1]
    assert [row.key for row in store.tasks.select(env_version="1", split="train")] == ["c", "a", "b"]
    with pytest.raises(UsageError, match=r"there is no task 9 .* agentr tasks list"):
        store.tasks.get(9)
