from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.records import Task
from agentr_core.store import PluginRow, Store
from agentr_core.store.writer_runs import new_key


def test_keys_are_ulids_that_sort_by_age() -> None:
    keys = [new_key() for _ in range(50)]
    assert all(len(key) == 26 and set(key) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for key in keys)
    assert [key[:10] for key in keys] == sorted(key[:10] for key in keys)
    assert len(set(keys)) == 50


def test_a_run_is_found_by_name_key_prefix_and_last(store: Store) -> None:
    first = store.writer.create_run("run", {"b": 1, "a": [2]}, seed=3, name="base")
    second = store.writer.create_run("search", {}, seed=4)
    assert store.queries.run("base") == first == store.queries.run(first.key)
    assert store.queries.run(second.key[:20].lower()) == store.queries.run("last") == second
    assert (first.config, first.seed, first.status, first.pid) == ({"a": [2], "b": 1}, 3, "running", os.getpid())
    assert store.queries.run_by_id(second.id) == second
    assert [run.id for run in store.queries.runs()] == [2, 1]


def test_the_newest_of_a_name_is_meant(store: Store) -> None:
    store.writer.create_run("run", {}, seed=1, name="base")
    newest = store.writer.create_run("run", {}, seed=2, name="base")
    assert store.queries.run("base") == newest


def test_an_unknown_run_is_told_with_the_nearest_and_the_last_ones(store: Store) -> None:
    with pytest.raises(NothingToDo, match=r"there are no runs in .* yet; start one with: agentr run"):
        store.queries.run("last")
    for name in ("base", "other"):
        store.writer.create_run("run", {}, seed=1, name=name)
    with pytest.raises(
        UsageError, match=r"no run is called 'bsae'. Did you mean 'base'\? The last ones: other, base\."
    ):
        store.queries.run("bsae")
    with pytest.raises(UsageError, match="no run is called ''"):
        store.queries.run("")
    with pytest.raises(UsageError, match="'0' is the start of several runs"):
        store.queries.run("0")
    with pytest.raises(UsageError, match="cannot be named 'last'"):
        store.writer.create_run("run", {}, seed=1, name="last")


def test_a_run_ends_and_is_taken_over(store: Store) -> None:
    run = store.writer.create_run("run", {}, seed=1)
    store.writer.set_run_status(run.id, "failed", "boom")
    ended = store.queries.run("last")
    assert (ended.status, ended.error, ended.is_alive) == ("failed", "boom", False)
    assert ended.finished_at is not None and ended.finished_at >= ended.created_at
    store.writer.set_run_status(run.id, "running")
    again = store.queries.run("last")
    assert (again.status, again.error, again.finished_at, again.is_alive) == ("running", None, None, True)
    assert again.heartbeat_at >= ended.heartbeat_at


def test_a_run_whose_process_is_gone_is_not_alive(store: Store) -> None:
    run = store.writer.create_run("run", {}, seed=1)
    child = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    assert not replace(run, pid=int(child.stdout)).is_alive
    elsewhere = replace(run, host="elsewhere.example", pid=1)
    assert elsewhere.is_alive
    assert not replace(elsewhere, heartbeat_at="2020-01-01T00:00:00.000+00:00").is_alive


def test_a_stage_that_is_done_stays_done(store: Store) -> None:
    run = store.writer.create_run("run", {}, seed=1)
    begun = store.writer.begin_stage(run.id, 1, "search")
    assert (begun.status, begun.metrics) == ("running", {})
    store.writer.finish_stage(run.id, 1, "search", {"trees": 4}, status="failed")
    assert store.writer.begin_stage(run.id, 1, "search").status == "running"
    store.writer.finish_stage(run.id, 1, "search", {"trees": 5})
    done = store.writer.begin_stage(run.id, 1, "search")
    assert (done.status, done.metrics, done.started_at) == ("done", {"trees": 5}, begun.started_at)
    assert store.queries.stages(run.id) == [done]
    assert store.queries.stage(run.id, 2, "search") is None


def test_tasks_keep_their_ids(store: Store) -> None:
    tasks = [Task(key=key, split="train", instruction=f"Craft {key}.", metadata={"depth": 2}) for key in "cab"]
    assert store.writer.add_tasks("textcraft", "1", tasks) == {"c": 1, "a": 2, "b": 3}
    more = [tasks[2], Task(key="d", split="test", instruction="Craft d.")]
    assert store.writer.add_tasks("textcraft", "1", more) == {"b": 3, "d": 4}
    assert store.writer.add_tasks("textcraft", "2", tasks[:1]) == {"c": 5}
    assert store.queries.task(2).task() == tasks[1]
    assert [row.key for row in store.queries.tasks(env_version="1", split="train")] == ["c", "a", "b"]
    with pytest.raises(UsageError, match=r"there is no task 9 .* agentr tasks list"):
        store.queries.task(9)


def test_plugins_and_metrics_are_replaced_by_later_ones(store: Store) -> None:
    run = store.writer.create_run("run", {}, seed=1)
    row = PluginRow(
        kind="env", name="textcraft", distribution="agentr-core", version="1", target="m:C", config={"a": 1}
    )
    store.writer.record_plugins(run.id, [row])
    store.writer.record_plugins(run.id, [replace(row, version="2")])
    assert store.queries.plugins(run.id) == [replace(row, version="2")]
    store.writer.add_metrics(run.id, 1, "train", 10, {"loss": 0.5, "lr": 1e-5})
    store.writer.add_metrics(run.id, 1, "train", 10, {"loss": 0.4})
    store.writer.add_metrics(run.id, 2, "train", 0, {"loss": float("nan")})
    assert [(m.name, m.step, m.value) for m in store.queries.metrics(run.id, iteration=1)] == [
        ("loss", 10, 0.4),
        ("lr", 10, 1e-5),
    ]
    assert store.queries.metrics(run.id, iteration=2)[0].value is None
