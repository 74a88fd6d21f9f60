"""Kinds, numbers and splits; none of it needs Java."""

from __future__ import annotations

import json

import pytest
from agentr_sciworld.config import SciWorldConfig
from agentr_sciworld.tasks import SPLITS, TaskTable, agentr_test, kind_named, kinds, task_for

from agentr_core import ConfigError, UsageError, validate_config

#: AgentGym's number of the first variation of some kinds.
STARTS = {
    **{"boil": 0, "use-thermometer": 120, "power-component": 1396, "test-conductivity": 1436, "find-animal": 3836},
    **{"chemistry-mix": 4136, "lifespan-longest-lived": 4240, "identify-life-stages-2": 4629},
}


def test_thirty_kinds_and_agentgyms_numbers() -> None:
    assert len(kinds()) == 30 and sum(kind.variations for kind in kinds()) == 7207
    assert {name: kind_named(name).start for name in STARTS} == STARTS
    tasks = TaskTable().tasks("agentgym")
    assert [task.key for task in tasks] == [f"sciworld_{number}" for number in range(4639)]
    assert len({task.metadata["task"] for task in tasks}) == 23


def test_official_splits_are_consecutive_blocks_and_share_out_everything() -> None:
    table = TaskTable()
    blocks = [{task.key for task in table.tasks(split)} for split in ("train", "dev", "test")]
    assert sum(map(len, blocks)) == len(set().union(*blocks)) == 7207
    for kind in kinds():
        quarter = kind.variations // 4
        assert len(kind.block("dev")) == quarter and len(kind.block("train")) == 2 * quarter
    assert kind_named("boil").block("test") == range(21, 30)


def test_published_ids(published_ids: list[str]) -> None:
    assert [task.key for task in TaskTable().tasks("agentr_test")] == published_ids


def test_agent_rs_splits_and_their_overlap() -> None:
    table = TaskTable()
    train, test = ({task.key for task in table.tasks(split)} for split in ("agentr_train", "agentr_test"))
    assert (len(train), len(test), train & test) == (115, 200, {"sciworld_4170"})
    official = [table.task(f"sciworld_{number}").split for number in agentr_test()]
    assert [official.count(split) for split in ("test", "train", "dev")] == [107, 66, 27]


@pytest.mark.parametrize("key", ["sciworld_14", "boil/14", "1-1:14", "boil:14", "0_14"])
def test_a_task_has_one_key_and_is_found_by_others(key: str) -> None:
    task = TaskTable().task(key)
    assert (task.key, task.split) == ("sciworld_14", "dev")
    assert task.metadata == {"task": "boil", "variation": 14, "id": "1-1"}


def test_etos_numbers_name_every_kind_but_one() -> None:
    """Its table has no number 5, and no kind twice."""
    found = {number: TaskTable().task(f"{number}_1").metadata["task"] for number in range(30) if number != 5}
    assert {kind.name for kind in kinds()} - set(found.values()) == {"measure-melting-point-unknown-substance"}
    assert (found[11], found[21]) == ("find-animal", "lifespan-longest-lived-then-shortest-lived")
    with pytest.raises(UsageError, match="no task '5_1'"):
        TaskTable().task("5_1")


def test_kinds_without_a_number_are_keyed_by_name() -> None:
    assert task_for("5-1", 3).key == "grow-plant/3" == TaskTable().task("5-1:3").key


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("sciworld_4639", "numbers go from 0 to 4638"),
        ("boil/30", "'boil' has no variation 30; they go from 0 to 29"),
        ("boll/3", "did you mean 'boil'"),
        ("no such key", "a key looks like 'sciworld_14'"),
    ],
)
def test_a_task_that_is_not_there(key: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        TaskTable().task(key)
    with pytest.raises(UsageError, match="there are: train, dev, test"):
        TaskTable().tasks("valid")


def test_only_some_kinds_and_some_variations_of_each() -> None:
    config = validate_config(SciWorldConfig, {"only": "1-1, find-plant", "variations": "2"}, "env.")
    table = TaskTable(config.only, config.variations)
    keys = {split: [task.key for task in table.tasks(split)] for split in SPLITS}
    assert keys["train"] == ["sciworld_0", "sciworld_1", "sciworld_3536", "sciworld_3537"]
    assert keys["agentr_train"] == ["sciworld_1", "sciworld_2", "sciworld_3537", "sciworld_3538"]
    assert len(keys["agentr_test"]) == 2  # Agent-R's test has plants, and nothing to boil


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"only": "boiling"}, "env.only: there is no task kind 'boiling'"),
        ({"simplifications": "easier"}, "env.simplifications: there is no simplification 'easier'"),
        ({"action_correction": "best"}, "env.action_correction: should be 'none' or 'overlap'"),
        ({"memory_mb": 1}, "env.memory_mb: must be at least 16"),
    ],
)
def test_bad_settings(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate_config(SciWorldConfig, values, "env.")


def test_the_table_is_that_of_the_simulator(java: str) -> None:
    from agentr_sciworld.jvm import JvmSettings, simulator_folder
    from agentr_sciworld.moments import Begin
    from agentr_sciworld.worker import Worker

    listed = json.loads((simulator_folder() / "tasks.json").read_text())
    assert [(row["task_id"], row["task_name"]) for row in listed] == [(kind.id, kind.name) for kind in kinds()]
    worker = Worker(JvmSettings())
    try:
        server = worker._server
        for kind in kinds():
            assert worker.jvm.ask(lambda _, kind=kind: server.getTaskMaxVariations(kind.name)) == kind.variations
        worker.load(Begin("identify-life-stages-1", 0))
        for split in ("Train", "Dev", "Test"):
            listed = list(worker.jvm.ask(lambda _, split=split: getattr(server, f"getVariations{split}")()))
            assert listed == list(kind_named("identify-life-stages-1").block(split.lower()))
    finally:
        worker.close()
