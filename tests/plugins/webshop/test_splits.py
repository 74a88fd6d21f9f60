from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from agentr_webshop.config import WebShopConfig
from agentr_webshop.env import WebShop
from agentr_webshop.splits import published_splits

from agentr_core import Task, UsageError


@pytest.fixture(scope="module")
def env() -> WebShop:
    return WebShop(WebShopConfig())


def positions(env: WebShop, split: str) -> list[int]:
    return [env._world.goals[task.metadata["goal_index"]].position for task in env.tasks(split)]


def test_products_are_not_shared_between_train_valid_and_test(env: WebShop) -> None:
    parts = {split: positions(env, split) for split in ("train", "valid", "test")}
    assert sum(len(set(part)) for part in parts.values()) == len(set().union(*parts.values()))
    for split in ("valid", "test"):  # one goal of each product, so that tasks are independent
        assert len(parts[split]) == len(set(parts[split])) > 50
    shares = {split: len(set(part)) / len(set().union(*parts.values())) for split, part in parts.items()}
    assert shares == pytest.approx({"train": 0.65, "valid": 0.10, "test": 0.25}, abs=0.005)


def test_default_splits_hold_what_can_succeed(env: WebShop) -> None:
    tasks = [task for split in ("train", "valid", "test") for task in env.tasks(split)]
    assert {task.metadata["max_reward"] for task in tasks} == {1.0}
    assert min(task.metadata["max_reward"] for task in env.tasks("all")) < 1.0
    reachable = sum(task.metadata["max_reward"] == 1.0 for task in env.tasks("all"))
    assert len(env.tasks("train")) < len(tasks) < reachable


def test_original_splits_share_out_all_goals(env: WebShop) -> None:
    numbers = [
        task.metadata["goal_index"]
        for split in ("original_test", "original_eval", "original_train")
        for task in env.tasks(split)
    ]
    assert numbers == list(range(len(env.tasks("all"))))
    assert len(env.tasks("original_test")) == 500 and len(env.tasks("original_eval")) == 1_000


def test_metadata_does_not_tell_the_product(env: WebShop) -> None:
    task = env.tasks("test")[0]
    assert set(task.metadata) == {"goal_index", "max_reward", "weight"}
    assert task.key == f"generated_{task.metadata['goal_index']}" and task.instruction in env.reset(task)


def test_published_ids(shared: Path) -> None:
    ids = shared.parent / "task_ids"
    train, test = ids / "agentgym_webshop_train.json", ids / "agentgym_webshop_test.json"
    if not train.exists():
        pytest.skip("no task_ids beside the reference data")
    env = WebShop(WebShopConfig(data=str(shared)))
    for split, path in (("agentr_train", train), ("agentr_test", test)):
        assert [task.key for task in env.tasks(split)] == [row["item_id"] for row in json.loads(path.read_text())]
    assert [len(env.tasks(split)) for split in ("train", "valid", "test", "all")] == [3_685, 41, 104, 6_910]
    assert len(set(positions(env, "agentr_test"))) == 91
    assert len(set(positions(env, "agentr_test")) & set(positions(env, "agentr_train"))) == 72


def test_pinned_ids_are_3930_and_200_apart() -> None:
    train, test = (published_splits()[f"agentr_{part}"] for part in ("train", "test"))
    assert (len(set(train)), len(set(test)), set(train) & set(test)) == (3_930, 200, set())
    assert max(Counter([*train, *test])) == 6_909


def test_published_ids_are_not_offered_for_other_goals(env: WebShop) -> None:
    assert not any(split.startswith("agentr") for split in env.splits())


@pytest.mark.parametrize("key", ["generated_2690", "generated_-1", "generated_", "webshop_0", "generated_²", "7", ""])
def test_unknown_task(env: WebShop, key: str) -> None:
    with pytest.raises(UsageError) as error:
        env.task(key)
    last = f"generated_{len(env.tasks('all')) - 1}"
    expected = f"webshop has no task '{key}' with these settings; keys go from 'generated_0' to '{last}'"
    assert str(error.value) == expected


@pytest.mark.parametrize("number", [-1, 10**9, None, "3"])
def test_goal_out_of_range(env: WebShop, number: object) -> None:
    task = Task(key="mine", split="train", instruction="buy", metadata={"goal_index": number})
    with pytest.raises(UsageError, match=r"the task 'mine' has the goal_index .*; these settings have goals 0 to \d+"):
        env.reset(task)


def test_unknown_split(env: WebShop) -> None:
    with pytest.raises(UsageError, match="webshop has no split 'dev' with these settings; there are: train, valid"):
        env.tasks("dev")
