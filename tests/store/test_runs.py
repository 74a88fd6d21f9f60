from __future__ import annotations

import os
from dataclasses import replace

import pytest

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.process.file_lock import held
from agentr_core.records import Task
from agentr_core.store import PluginRow, Store, TreePlan
from agentr_core.store.runs import new_key


def test_keys_are_ulids_that_sort_by_age() -> None:
    keys = [new_key() for _ in range(50)]
    assert all(len(key) == 26 and set(key) <= set("0123456789ABCDEFGHJKMNPQRSTVWXYZ") for key in keys)
    assert [key[:10] for key in keys] == sorted(key[:10] for key in keys)
    assert len(set(keys)) == 50


def test_a_run_is_found_by_name_key_prefix_and_last(store: Store) -> None:
    first = store.runs.create("run", {"b": 1, "a": [2]}, seed=3, name="base")
    second = store.runs.create("search", {}, seed=4)
    assert store.runs.find("base") == first == store.runs.find(first.key)
    assert store.runs.find(second.key[:20].lower()) == store.runs.find("last") == second
    assert (first.config, first.seed, first.status, first.pid) == ({"a": [2], "b": 1}, 3, "running", os.getpid())
    assert store.runs.get(second.id) == second
    assert [run.id for run in store.runs.select()] == [2, 1]


def test_a_name_is_that_of_one_run(store: Store) -> None:
    first = store.runs.create("run", {}, seed=1, name="base")
    with pytest.raises(
        UsageError, match=rf"--name base: run {first.short} is called so already; .* agentr resume base"
    ):
        store.runs.create("run", {}, seed=2, name="base")
    assert store.runs.select() == [first]


def test_a_name_that_is_no_unicode_is_kept_readable(store: Store) -> None:
    """What a shell hands on as a byte that is no letter."""
    run = store.runs.create("run", {}, seed=1, name="caf\udce9")
    assert run.name == "caf\\udce9" and store.runs.find(run.name) == run


def test_of_a_name_that_an_older_version_gave_twice_the_newest_is_meant(store: Store) -> None:
    store.runs.create("run", {}, seed=1, name="base")
    newest = store.runs.create("run", {}, seed=2)
    with store.transaction():
        store.connection.execute("UPDATE runs SET name = 'base'")
    assert store.runs.find("base").id == newest.id


def test_last_is_the_newest_run_that_has_what_is_asked(store: Store) -> None:
    searched, empty = (store.runs.create("run", {}, seed=seed) for seed in (1, 2))
    ids = store.tasks.save("world", "1", [Task(key="a", split="train", instruction="a")])
    plan = [TreePlan(ids["a"], 1)]
    (tree,) = store.trees.plan(searched.id, 1, plan, searcher="mcts", searcher_hash="h", model="m")
    assert store.runs.find("last", "trees") == empty, "a tree that is only planned is nothing to look at"
    with store.transaction():
        store.connection.execute("UPDATE trees SET n_nodes = 1 WHERE id = ?", (tree.id,))
    assert store.runs.find("last", "trees") == searched
    assert store.runs.find("last") == store.runs.find("last", "evaluations") == empty


def test_a_run_that_has_not_begun_is_forgotten_and_another_is_not(store: Store) -> None:
    refused, begun = (store.runs.create("run", {}, seed=seed) for seed in (1, 2))
    store.runs.open_stage(begun.id, 1, "search")
    for run in (refused, begun):
        store.runs.save_plugins(run.id, [PluginRow(kind="env", name="e", distribution="d", version="1", target="m:C")])
        store.runs.forget(run.id)
    assert [run.id for run in store.runs.select()] == [begun.id] and store.runs.plugins(begun.id)


def test_an_unknown_run_is_told_with_the_nearest_and_the_last_ones(store: Store) -> None:
    with pytest.raises(NothingToDo, match=r"there are no runs in .* yet; start one with: agentr run"):
        store.runs.find("last")
    for name in ("base", "other"):
        store.runs.create("run", {}, seed=1, name=name)
    with pytest.raises(
        UsageError, match=r"no run is called 'bsae'. Did you mean 'base'\? The last ones: other, base\."
    ):
        store.runs.find("bsae")
    with pytest.raises(UsageError, match="no run is called ''"):
        store.runs.find("")
    with pytest.raises(UsageError, match="'0' is part of several runs' keys"):
        store.runs.find("0")
    with pytest.raises(UsageError, match="cannot be named 'last'"):
        store.runs.create("run", {}, seed=1, name="last")


def test_a_run_ends_and_is_taken_over(store: Store) -> None:
    run = store.runs.create("run", {}, seed=1)
    store.runs.set_status(run.id, "failed", "boom")
    ended = store.runs.find("last")
    assert (ended.status, ended.error, store.runs.is_alive(ended)) == ("failed", "boom", False)
    assert ended.finished_at is not None and ended.finished_at >= ended.created_at
    store.runs.set_status(run.id, "running")
    again = store.runs.find("last")
    assert (again.status, again.error, again.finished_at) == ("running", None, None)


def test_taking_a_run_over_makes_this_process_its_owner(store: Store) -> None:
    run = store.runs.create("run", {}, seed=1)
    with store.transaction():
        store.connection.execute("UPDATE runs SET host = 'elsewhere.example', pid = 1")
    store.runs.set_status(run.id, "done")
    assert store.runs.get(run.id).host == "elsewhere.example"
    store.runs.set_status(run.id, "running")
    assert store.runs.get(run.id) == run


def test_a_run_is_alive_while_its_lock_is_held_whatever_number_its_process_has(store: Store) -> None:
    run = store.runs.create("run", {}, seed=1)
    assert not store.runs.is_alive(run), "its process is this one, which is there and does not work on it"
    with held(store.runs.lock_file(run)) as mine:
        assert mine and store.runs.is_alive(run)
        assert store.runs.is_alive(replace(run, pid=2**22 + 1, host="elsewhere.example"))
        assert not store.runs.is_alive(replace(run, status="done"))
        with held(store.runs.lock_file(run)) as twice:
            assert not twice
    assert not store.runs.is_alive(run) and not store.runs.lock_file(run).exists()


def test_runs_begun_in_the_same_moment_are_told_apart_by_what_people_type(store: Store) -> None:
    runs = [store.runs.create("run", {}, seed=seed) for seed in range(20)]
    assert len({run.key[:8] for run in runs}) < 20, "the start of a key is the second in which the run began"
    assert len({run.short for run in runs}) == 20
    assert [store.runs.find(run.short) for run in runs] == runs


def test_a_stage_that_is_done_stays_done(store: Store) -> None:
    run = store.runs.create("run", {}, seed=1)
    begun = store.runs.open_stage(run.id, 1, "search")
    assert (begun.status, begun.metrics) == ("running", {})
    store.runs.finish_stage(run.id, 1, "search", {"trees": 4}, status="failed")
    assert store.runs.open_stage(run.id, 1, "search").status == "running"
    store.runs.finish_stage(run.id, 1, "search", {"trees": 5})
    done = store.runs.open_stage(run.id, 1, "search")
    assert (done.status, done.metrics, done.started_at) == ("done", {"trees": 5}, begun.started_at)
    assert store.runs.stages(run.id) == [done]
    assert store.runs.stage(run.id, 2, "search") is None


def test_the_first_plugins_stay_and_metrics_are_replaced_by_later_ones(store: Store) -> None:
    run = store.runs.create("run", {}, seed=1)
    row = PluginRow(
        kind="env", name="textcraft", distribution="agentr-core", version="1", target="m:C", config={"a": 1}
    )
    store.runs.save_plugins(run.id, [row])
    store.runs.save_plugins(run.id, [replace(row, version="2")])
    assert store.runs.plugins(run.id) == [row], "the code that the run was begun with"
    store.runs.save_metrics(run.id, 1, "train", 10, {"loss": 0.5, "lr": 1e-5})
    store.runs.save_metrics(run.id, 1, "train", 10, {"loss": 0.4})
    store.runs.save_metrics(run.id, 2, "train", 0, {"loss": float("nan")})
    assert [(m.name, m.step, m.value) for m in store.runs.metrics(run.id, iteration=1)] == [
        ("loss", 10, 0.4),
        ("lr", 10, 1e-5),
    ]
    assert store.runs.metrics(run.id, iteration=2)[0].value is None
