"""A project that is moved, copied, or worked on from another folder finds its models."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from interrupting import interrupt
from learning import write_model

from agentr_core import RunConfig, open_store
from agentr_core.process.progress import Progress
from agentr_core.runs import report
from agentr_core.runs.iterations import ALL_STAGES
from agentr_core.runs.single_stages import evaluate_again, train_again
from agentr_core.runs.start_and_resume import resume, run
from agentr_core.settings.run_config import ChosenPlugin
from agentr_core.store import CheckpointRow

QUIET = Progress(quiet=True)


@pytest.fixture
def config(tmp_path: Path, settings: Callable[..., RunConfig]) -> RunConfig:
    base = write_model(tmp_path / "base", 0.6)
    learner = {"policy": "learning:Learner", "trainer": "learning:Halver", "learning:Learner": {"model": str(base)}}
    return settings(
        **learner, iterations=2, search={"tasks": 4}, evaluate={"tasks": 6, "max_turns": 9, "revision_test": False}
    )


def checkpoints(db: Path) -> list[CheckpointRow]:
    with open_store(db, read_only=True) as store:
        return store.checkpoints.select()


def sql(db: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with open_store(db) as store, store.transaction():
        if statement.startswith("SELECT"):
            return [tuple(row) for row in store.connection.all(statement, values)]
        store.connection.execute(statement, values)
        return []


@pytest.mark.parametrize("move", [shutil.move, shutil.copytree])
@pytest.mark.parametrize(("stage", "after_rows"), [("evaluate", 14), ("search", 6), ("revise", 6)])
def test_a_half_done_run_goes_on_where_its_folder_is_now(
    tmp_path: Path, config: RunConfig, move: Any, stage: str, after_rows: int
) -> None:
    before, after = tmp_path / "before", tmp_path / "after" / "project"
    before.mkdir()
    # 6 tasks of the baseline, 6 of the first model, 2 of the second; 4 trees of the first iteration, 2 of the second.
    interrupt(SimpleNamespace(path=before / "agentr.db"), config, ALL_STAGES, stage, after_rows)
    after.parent.mkdir()
    move(str(before), str(after))
    if before.exists():
        shutil.rmtree(before / "out")
    assert resume("last", db=after / "agentr.db").run.status == "done"
    rows = checkpoints(after / "agentr.db")
    assert [row.iteration for row in rows] == [1, 2]
    assert all((Path(row.path) / "rate.txt").is_file() and Path(row.path).is_relative_to(after) for row in rows)
    assert [row.start_model for row in rows] == [str(tmp_path / "base"), rows[0].path]
    # Nothing was begun anew under another name.
    assert sql(after / "agentr.db", "SELECT count(*) FROM evals") == [(3,)]
    assert sql(after / "agentr.db", "SELECT count(*) FROM revision_sets") == [(2,)]


def test_a_database_with_absolute_paths_is_read_where_its_folder_is_now(tmp_path: Path, config: RunConfig) -> None:
    before, after = tmp_path / "before", tmp_path / "after"
    before.mkdir()
    run(config, db=before / "agentr.db", progress=QUIET)
    for row in checkpoints(before / "agentr.db"):
        sql(before / "agentr.db", "UPDATE checkpoints SET path = ? WHERE id = ?", row.path, row.id)
    before.rename(after)
    rows = checkpoints(after / "agentr.db")
    assert [Path(row.path).is_relative_to(after / "agentr-out") for row in rows] == [True, True]
    evaluate_again("last", config, db=after / "agentr.db", checkpoint="last", progress=QUIET)
    with open_store(after / "agentr.db") as store:
        table = report.iterations(store, store.runs.find("last"))
    assert [row["revisions"] is not None for row in table.data] == [False, True, True]
    assert sql(after / "agentr.db", "SELECT count(*) FROM evals") == [(3,)]


def test_paths_are_kept_from_the_database_on(tmp_path: Path, config: RunConfig) -> None:
    run(config, db=tmp_path / "agentr.db", progress=QUIET)
    stored = [path for (path,) in sql(tmp_path / "agentr.db", "SELECT path FROM checkpoints")]
    key = resume("last", db=tmp_path / "agentr.db").run.short
    assert stored == [f"agentr-out/{key}/iteration-{n}/model" for n in (1, 2)]
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    other = config.model_copy(update={"trainer": ChosenPlugin(name="learning:Halver", options={"factor": 0.25})})
    train_again("last", other, db=tmp_path / "agentr.db", iteration=1, out=outside, progress=QUIET)
    assert Path(checkpoints(tmp_path / "agentr.db")[-1].path).is_relative_to(outside)


def test_tables_are_the_same_however_the_database_is_named(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("project", "elsewhere"):
        (tmp_path / folder).mkdir()
    run(config, db=tmp_path / "project" / "agentr.db", progress=QUIET)
    monkeypatch.chdir(tmp_path / "elsewhere")
    beside = Path("../project/agentr.db")
    evaluate_again("last", config, db=beside, checkpoint="last", progress=QUIET)
    with open_store(beside, read_only=True) as store:
        runs = [store.runs.find("last")]
        assert [row["revisions"] is not None for row in report.iterations(store, runs[0]).data] == [False, True, True]
        assert all(row["trained"] for row in report.critics(store, runs).data)
    assert sql(tmp_path / "project" / "agentr.db", "SELECT count(*) FROM evals") == [(3,)]


def test_a_relative_out_is_the_folder_it_was_when_the_run_began(
    tmp_path: Path, config: RunConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("here", "there", "data"):
        (tmp_path / folder).mkdir()
    (tmp_path / "there" / "ck").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    run(config, db=tmp_path / "data" / "agentr.db", out="ck", progress=QUIET)
    monkeypatch.chdir(tmp_path / "there")
    assert resume("last", db=tmp_path / "data" / "agentr.db").run.status == "done"
    evaluate_again("last", config, db=tmp_path / "data" / "agentr.db", checkpoint="last", progress=QUIET)
    train_again("last", config, db=tmp_path / "data" / "agentr.db", iteration=1, out=None, progress=QUIET)
    rows = checkpoints(tmp_path / "data" / "agentr.db")
    assert rows and all(Path(row.path).is_relative_to(tmp_path / "here" / "ck") for row in rows)
    assert not list((tmp_path / "there" / "ck").iterdir())


@pytest.mark.parametrize(
    ("command", "flag"), [("search", "--out"), ("eval", "--out"), ("revise", "--out"), ("revise", "--name")]
)
def test_a_flag_that_would_mean_nothing_is_refused(agentr: Any, command: str, flag: str) -> None:
    refused = agentr(command, flag, "x")
    assert refused.returncode == 2 and f"no such option '{flag}'" in refused.stderr
