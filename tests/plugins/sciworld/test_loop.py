"""The whole loop on real Java processes, and what is said where there is no Java."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from walking import walk

from agentr_core import open_store

OPTIONS = (
    *("--env", "sciworld", "-o", "sciworld.only=identify-life-stages-2,lifespan-longest-lived"),
    *("--searcher", "mcts", "-o", "mcts.depth=14", "-o", "mcts.simulations=2", "--policy", "flawed"),
    *("-o", "flawed.rate=0.3", "--critic", "actor", "--trainer", "none"),
    *("--iterations", "1", "--tasks", "2", "--eval-tasks", "2"),
)


def agentr(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    import os

    kept = {name: value for name, value in os.environ.items() if not name.startswith("AGENTR_")}
    command = [sys.executable, "-m", "agentr_core", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env={**kept, **environment})


@pytest.mark.slow
def test_one_iteration_with_the_flawed_expert(java: str, cache: str, tmp_path: Path) -> None:
    db = tmp_path / "agentr.db"
    done = agentr("run", *OPTIONS, "-o", f"sciworld.cache={cache}", "--db", str(db))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "replays differed" not in done.stderr
    with open_store(db, read_only=True) as store:
        [run] = store.runs.select()
        trees = store.trees.select(run.id)
        assert [tree.status for tree in trees] == ["done", "done"] and all(tree.n_nodes > 8 for tree in trees)
        assert all(tree.stats["environment_mismatches"] == 0 for tree in trees)
        assert max(tree.best_reward or 0 for tree in trees) == 1.0
        assert next(row for row in store.runs.stages(run.id) if row.stage == "revise").status == "done"


def test_no_java_is_one_sentence_that_says_what_to_do(java: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = agentr("run", *OPTIONS, "--db", str(tmp_path / "agentr.db"), PATH=str(tmp_path / "bin"), JAVA_HOME="")
    assert done.returncode == 4
    assert "error: sciworld needs Java, and there is no java on the PATH: install Java 8 or newer" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pool_leaves_no_process(apart: Any) -> None:
    import asyncio

    from agentr_core.play.branches import Branches
    from agentr_core.play.environment_pool import EnvironmentPool

    made: list[Any] = []

    def new() -> Any:
        made.append(apart(workers=2, memory_mb=261))
        return made[-1]

    async def play() -> list[Any]:
        pool = EnvironmentPool(new, limit=2)
        branches = Branches(new().task("sciworld_0"), pool)
        await walk(branches, ["open door to kitchen", "go to kitchen"])
        running = made[0]._fleet.workers
        made[0].close()
        pool.close()
        return running

    running = asyncio.run(play())
    assert running and not any(worker.jvm.alive for worker in running) and made[0]._fleet.workers == []


def test_tasks_are_listed_without_java(tmp_path: Path) -> None:
    done = agentr("tasks", "list", "--env", "sciworld", "--split", "agentr_test", "--json", PATH=str(tmp_path))
    if "pip install" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0 and done.stdout.count('"sciworld_') == 200
