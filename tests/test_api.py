"""The Python face: create, configure, run and open_store."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import agentr_core


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, agentr_core; print([m for m in ('pydantic', 'pluggy', 'torch', 'numpy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_every_public_name_can_be_loaded() -> None:
    for name in agentr_core.__all__:
        assert getattr(agentr_core, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = agentr_core.no_such_name


def test_create_makes_plugins_and_explains_wrong_options() -> None:
    env = agentr_core.create("env", "textcraft", world="synthetic", max_steps=7)
    task = env.tasks("train")[0]
    assert env.reset(task).strip()
    assert env.step("inventory").reward == 0.0
    with pytest.raises(agentr_core.ConfigError, match="max_steps"):
        agentr_core.create("env", "textcraft", max_steps="many")
    with pytest.raises(agentr_core.UnknownPluginError, match="Did you mean 'textcraft'"):
        agentr_core.create("env", "textcarft")


def test_a_run_from_python_and_its_store(tmp_path: Path) -> None:
    config = agentr_core.configure(
        policy="flawed",
        trainer="none",
        iterations=1,
        textcraft={"world": "synthetic"},
        mcts={"simulations": 2, "depth": 8},
        search={"tasks": 3},
        evaluate={"tasks": 3, "max_turns": 8},
    )
    outcome = agentr_core.run(config, db=tmp_path / "project.db")
    assert outcome.run.status == "done" and outcome.failed == 0
    with agentr_core.open_store(tmp_path / "project.db") as store:
        run = store.runs.find("last")
        trees = [store.trees.load(row.id) for row in store.trees.select(run.id)]
        assert run.key == outcome.run.key and len(trees) == 3
        assert all(len(tree.nodes) > 1 for tree in trees)


def small_run() -> agentr_core.RunConfig:
    return agentr_core.configure(
        policy="flawed",
        trainer="none",
        iterations=1,
        textcraft={"world": "synthetic"},
        mcts={"simulations": 2, "depth": 8},
        search={"tasks": 3},
        evaluate={"tasks": 3, "max_turns": 8},
    )


def test_run_says_what_to_await_where_an_event_loop_is_running(tmp_path: Path) -> None:
    async def cell() -> None:
        with pytest.raises(agentr_core.UsageError, match=r"await agentr_core.run_async\(config\)"):
            agentr_core.run(small_run(), db=tmp_path / "project.db")

    asyncio.run(cell())
    assert not (tmp_path / "project.db").exists()


def test_run_async_leaves_the_loop_free_and_makes_the_rows_that_run_makes(tmp_path: Path) -> None:
    turns = 0

    async def cell() -> Any:
        nonlocal turns
        work = asyncio.create_task(agentr_core.run_async(small_run(), db=tmp_path / "async.db"))
        while not work.done():
            turns += 1
            await asyncio.wait([work], timeout=0.005)
        return work.result()

    outcome = asyncio.run(cell())
    plain = agentr_core.run(small_run(), db=tmp_path / "plain.db")
    assert outcome.run.status == "done" and outcome.failed == 0 and turns > 1
    found = [agentr_core.open_store(tmp_path / name) for name in ("async.db", "plain.db")]
    trees = [
        [[node.action for node in store.trees.load(row.id).nodes] for row in store.trees.select(run.run.id)]
        for store, run in zip(found, (outcome, plain), strict=True)
    ]
    assert trees[0] == trees[1] and len(trees[0]) == 3


def test_run_async_that_is_cancelled_leaves_a_run_to_resume(tmp_path: Path) -> None:
    from agentr_core.runs.start_and_resume import resume

    async def cell() -> None:
        work = asyncio.create_task(agentr_core.run_async(small_run(), db=tmp_path / "project.db"))
        await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(cell())
    with agentr_core.open_store(tmp_path / "project.db") as store:
        assert store.runs.find("last").status == "interrupted"
    assert resume("last", db=tmp_path / "project.db").run.status == "done"


def test_a_scratch_run_keeps_nothing() -> None:
    config = agentr_core.configure(
        policy="flawed", trainer="none", textcraft={"world": "synthetic"}, mcts={"simulations": 2}, search={"tasks": 3}
    )
    with agentr_core.scratch_run(config) as context:
        policy, searcher = context.make_policy(), context.make_searcher()
        made = asyncio.run(agentr_core.grow_trees(context, policy, searcher, iteration=1))
        trees = context.store.trees.select(context.run.id)
        path = context.store.path
        assert path.exists() and (made.metrics["trees"], len(trees)) == (3, 3)
    assert not path.parent.exists()
    with pytest.raises(agentr_core.UnknownPluginError), agentr_core.scratch_run(_with_searcher(config, "mtcs")):
        pass


def _with_searcher(config: agentr_core.RunConfig, name: str) -> agentr_core.RunConfig:
    return config.model_copy(update={"searcher": config.searcher.model_copy(update={"name": name})})


def test_the_module_is_the_program() -> None:
    by_module = subprocess.run([sys.executable, "-m", "agentr_core", "--version"], capture_output=True, text=True)
    assert by_module.stdout.strip() == f"agentr {agentr_core.__version__}"


def test_every_public_name_is_on_its_shelf_in_the_documentation() -> None:
    shelves = [agentr_core._AUTHOR, agentr_core._ENGINE, agentr_core._SCRIPT]
    text = (Path(__file__).resolve().parents[1] / "docs/public-names.md").read_text(encoding="utf-8")
    for shelf, part in zip(shelves, text.split("\n## ")[1:], strict=True):
        names = {name for names in shelf.values() for name in names}
        assert names <= set(re.findall(r"`(\w+)`", part)), "each name stands where it belongs"
    assert len([name for names in agentr_core._AUTHOR.values() for name in names]) < 40


def test_the_public_face_says_the_same_to_type_checkers() -> None:
    tree = ast.parse(Path(agentr_core.__file__).read_text(encoding="utf-8"))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    told = {
        alias.name: node.module for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    assert told == agentr_core._MODULE_OF


def test_an_error_of_a_plugin_that_takes_several_lines_is_told_in_one() -> None:
    with (
        pytest.raises(
            agentr_core.EnvironmentFailure, match=r"^the step: ValidationError: 1 validation error for [^\n]+$"
        ),
        agentr_core.boundary(agentr_core.EnvironmentFailure, "the step"),
    ):
        agentr_core.StepResult(observation="x", reward=2.0)
