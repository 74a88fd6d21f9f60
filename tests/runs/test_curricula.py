"""Runs whose tasks are chosen by what earlier iterations came to: killed, retried, of several environments."""

from __future__ import annotations

import random
import signal
from pathlib import Path
from typing import Any

import pytest
from killing import KILLER, has_run
from project_stages import configure
from scripted_runs import SCRIPTED, Agentr, dump

import agentr_core
from agentr_core.process.progress import Progress
from agentr_core.runs.start_and_resume import resume, run
from agentr_core.store import Store, open_store


def searched(store: Store) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for row in store.trees.select(store.runs.find("last").id):
        found.setdefault(row.iteration, []).append(row.task)
    return found


def search(db: Path, config: agentr_core.RunConfig) -> dict[int, list[str]]:
    run(config, db=db, stages=("search",), progress=Progress(quiet=True))
    with open_store(db, read_only=True) as store:
        return searched(store)


def outcome(store: Store, iteration: int) -> dict[str, int]:
    """By task: 0 no attempt solved it, 1 some, 3 all."""
    found = {}
    for row in store.trees.select(store.runs.find("last").id, iteration=iteration):
        solved = {leaf.reward >= 1.0 for leaf in store.trees.load(row.id).leaves()}
        found[row.task] = 1 if len(solved) == 2 else 3 * (True in solved)
    return found


def test_failing_first_takes_up_what_the_trees_of_the_store_failed_at(tmp_path: Path) -> None:
    config = configure(iterations=2, search={"tasks": 10, "sampler": "failing_first"}, flawed={"rate": 0.6})
    tasks = search(tmp_path / "agentr.db", config)
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        came_to = outcome(store, 1)
    again = [key for key in tasks[1] if came_to[key] < 3]
    assert {0, 1} <= set(came_to.values()) and len(again) > 0
    assert tasks[2][: len(again)] == sorted(again, key=came_to.__getitem__)
    assert not set(tasks[2][len(again) :]) & set(tasks[1]), "the rest is new"


@pytest.mark.slow
def test_a_killed_run_takes_up_the_same_tasks(agentr: Agentr, tmp_path: Path) -> None:
    (tmp_path / "killer.py").write_text(KILLER)
    start = ("run", *SCRIPTED, "-o", "search.sampler=failing_first", "--plugin", str(tmp_path / "killer.py"))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    assert agentr(*start, "--iterations", "3", cwd=whole).returncode == 0
    rng, kills = random.Random(7), 0
    while kills < 4:
        again = ("resume", "last") if has_run(killed / "agentr.db") else (*start, "--iterations", "3")
        ended = agentr(*again, cwd=killed, KILL_AFTER=str(rng.uniform(0.1, 0.7)), KILL_FROM="run")
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
    assert kills >= 2, "the run ended before it could be killed: make it longer"
    assert agentr("resume", "last", cwd=killed).returncode == 0
    assert dump(killed / "agentr.db") == dump(whole / "agentr.db")


def test_tasks_that_were_chosen_stay_when_the_trees_they_were_chosen_by_are_others(tmp_path: Path) -> None:
    db = tmp_path / "agentr.db"
    config = configure(iterations=2, search={"tasks": 6, "sampler": "failing_first"})
    before = search(db, config)
    with open_store(db) as store:
        row = store.runs.find("last")
        for tree in store.trees.select(row.id, iteration=1):
            store.trees.finish(tree.id, "failed", error="as if it had not been played")
        store.runs.reopen_stage(row.id, 2, "search")
    resume("last", db=db, progress=Progress(quiet=True))
    with open_store(db, read_only=True) as store:
        assert searched(store) == before


def test_an_environment_has_a_sampler_of_its_own(tmp_path: Path) -> None:
    several: dict[str, Any] = {"env": "textcraft,webshop", "iterations": 2, "search": {"tasks": 4}}
    several |= {"webshop": {"products": 60, "max_steps": 14}, "mcts": {"simulations": 2, "depth": 9}}
    world = {"world": "synthetic", "depth": 3, "max_steps": 14}
    plain = search(tmp_path / "plain.db", configure(**several, textcraft=world))
    own = search(tmp_path / "own.db", configure(**several, textcraft={**world, "search": {"sampler": "by_depth"}}))
    assert [key for key in own[2] if "webshop" in key] == [key for key in plain[2] if "webshop" in key]
    with open_store(tmp_path / "own.db", read_only=True) as store:
        depth = {row.key: row.metadata["depth"] for row in store.tasks.select(env="textcraft")}
    easy, deep = ([depth[key] for key in own[number] if key in depth] for number in (1, 2))
    assert len(easy) == len(deep) == 4 and max(easy) <= min(deep) and min(easy) < max(deep)


def test_a_dry_run_tries_a_sampler_of_the_users(agentr: Agentr, tmp_path: Path) -> None:
    (tmp_path / "few.py").write_text("def two(tasks, request):\n    return tasks[:2]\n")
    few = agentr("run", *SCRIPTED, "-o", "search.sampler=few:two", "--dry-run")
    assert few.returncode == 0 and "12 were asked for, and 'few:two' takes 2 of 36" in few.stdout + few.stderr
    wrong = agentr("run", *SCRIPTED, "-o", "search.sampler=few:three")
    assert wrong.returncode == 2 and "there is no function 'three' in few" in wrong.stderr
