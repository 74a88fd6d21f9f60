"""Replaying a stored run gives the trees of that run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentr_core import Message, PolicyFailure, SampleRequest, StoreError, UsageError, create, open_store, run
from agentr_core.api import configure
from agentr_core.testing.golden import tree_as_json

SETTINGS = {
    "env": {"name": "textcraft", "world": "synthetic", "depth": 3},
    "trainer": "none",
    "iterations": 1,
    "critic": "value",
    "mcts": {"depth": 10, "simulations": 4},
    "search": {"tasks": 4},
    "evaluate": {"tasks": 4, "max_turns": 10},
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    db = tmp_path_factory.mktemp("replay") / "agentr.db"
    run(configure(policy={"name": "flawed", "rate": 0.5}, **SETTINGS), db=db, name="first")
    return db


def trees(db: Path, name: str) -> list[object]:
    with open_store(db, read_only=True) as store:
        row = store.runs.find(name)
        return [tree_as_json(store.trees.load(tree.id)) for tree in store.trees.select(row.id)]


def rewards(db: Path, name: str) -> list[list[tuple[int, float, int]]]:
    with open_store(db, read_only=True) as store:
        found = store.evaluations.select(store.runs.find(name).id)
        return [[(r.task_id, r.reward, r.steps) for r in store.evaluations.results(e.id)] for e in found]


def test_a_replayed_run_grows_the_same_trees(recorded: Path):
    policy = {"name": "replay:first", "db": str(recorded)}
    outcome = run(configure(policy=policy, **SETTINGS), db=recorded, name="second")
    assert outcome.failed == 0
    assert trees(recorded, "second") == trees(recorded, "first") != []
    assert rewards(recorded, "second") == rewards(recorded, "first") != []


def test_what_was_never_said_is_a_failure(recorded: Path):
    policy = create("policy", "replay:first", db=str(recorded))
    with pytest.raises(PolicyFailure, match="nothing recorded for a conversation of 1 turns"):
        asyncio.run(policy.sample(SampleRequest((Message("user", "?"),))))


def test_a_run_that_is_not_there_and_a_file_that_is_none(recorded: Path, tmp_path: Path):
    with pytest.raises(UsageError, match="third"):
        create("policy", "replay:third", db=str(recorded))
    with pytest.raises(StoreError):
        create("policy", "replay:first", db=str(tmp_path / "none.db"))
