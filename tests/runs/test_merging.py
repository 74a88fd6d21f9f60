"""Several databases as one: parts of a search become the run, other runs stand beside each other."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_runs import SCRIPTED, dump, last_of_each

from agentr_core.cli.main import main
from agentr_core.store import open_store

SMALL = (*SCRIPTED, "--tasks", "7", "--iterations", "2", "--eval-tasks", "4", "-o", "revise.max_pairs_per_tree=3")
Agentr = Callable[..., int]


def agentr(*arguments: str) -> int:
    return main(last_of_each(arguments))


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search as a whole (``whole.db``) and in three parts (``part1.db`` and so on)."""
    folder = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert agentr("search", *SMALL, "--db", "whole.db") == 0
        for number in (1, 2, 3):
            assert agentr("search", *SMALL, "--db", f"part{number}.db", "--shard", f"{number}/3") == 0
    return folder


@pytest.fixture
def here(parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(parts: Path, *numbers: int) -> list[str]:
    return [str(parts / f"part{number}.db") for number in numbers]


def test_each_part_grows_its_own_trees(parts: Path) -> None:
    done = []
    for path in paths(parts, 1, 2, 3):
        with open_store(path, read_only=True) as store:
            rows = store.trees.select()
            assert len(rows) == 14 and store.runs.find("last").status == "done"
            done.append({row.id for row in rows if row.status == "done"})
    assert [len(each) for each in done] == [6, 4, 4]
    assert set.union(*done) == set(range(1, 15))


def test_three_parts_are_the_search(parts: Path, here: Path) -> None:
    assert agentr("db", "merge", *paths(parts, 2, 3, 1), "--into", "all.db") == 0
    assert dump(here / "all.db") == dump(parts / "whole.db")


def everything(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return list(connection.iterdump())


def test_merging_again_changes_nothing(parts: Path, here: Path) -> None:
    assert agentr("db", "merge", *paths(parts, 1, 2), "-o", "all.db") == 0
    before = everything(here / "all.db")
    assert agentr("db", "merge", *paths(parts, 2, 1), "-o", "all.db") == 0
    assert everything(here / "all.db") == before


def test_what_is_missing_is_said_and_can_be_grown_there(
    parts: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agentr("db", "merge", *paths(parts, 1, 3), "-o", "all.db") == 0
    assert "4 trees are missing; merge their part, or" in capsys.readouterr().err
    assert agentr("resume", "last", "--db", "all.db") == 0
    assert dump(here / "all.db") == dump(parts / "whole.db")


def test_what_is_missing_is_said_of_every_run_that_is_merged(
    parts: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where the last file has nothing to do with it."""
    assert agentr("search", *SMALL, "--iterations", "1", "--name", "other", "--db", "other.db") == 0
    capsys.readouterr()
    assert agentr("db", "merge", *paths(parts, 1), "other.db", "-o", "all.db") == 0
    assert capsys.readouterr().err.count("trees are missing; merge their part, or") == 1
    assert agentr("db", "merge", "other.db", *paths(parts, 1), "-o", "again.db", "--json") == 0
    said = capsys.readouterr()
    assert said.err.count("trees are missing; merge their part, or") == 1
    assert [each["path"] for each in json.loads(said.out)] == ["other.db", *paths(parts, 1)]


def test_parts_are_merged_into_one_of_them(parts: Path, here: Path) -> None:
    (here / "all.db").write_bytes((parts / "part1.db").read_bytes())
    assert agentr("db", "merge", *paths(parts, 2, 3), "-o", "all.db") == 0
    assert dump(here / "all.db") == dump(parts / "whole.db")


def test_a_run_that_went_on_elsewhere_is_brought_up_to_date(here: Path) -> None:
    """A copy of a search is taken; the run goes on, and is merged into the copy."""
    assert agentr("search", *SMALL, "--iterations", "1", "--db", "run.db") == 0
    (here / "copy.db").write_bytes((here / "run.db").read_bytes())
    with sqlite3.connect(here / "copy.db") as connection:  # as it was in the middle of its last tree
        connection.execute("UPDATE trees SET status = 'running', simulations = 1, n_nodes = 9 WHERE id = 7")
        connection.execute("DELETE FROM nodes WHERE tree_id = 7 AND node >= 9")
        connection.execute("UPDATE stages SET status = 'running', metrics_json = NULL")
        connection.execute("UPDATE runs SET status = 'interrupted'")
    assert dump(here / "copy.db") != dump(here / "run.db")
    assert agentr("db", "merge", "run.db", "-o", "copy.db") == 0
    assert dump(here / "copy.db") == dump(here / "run.db")


def test_whole_runs_stand_beside_each_other(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Numbers are given anew: the second run's trees, sets, datasets and evaluations name their own."""
    for name, seed in (("a", "1"), ("b", "2")):
        assert agentr("run", *SMALL, "--iterations", "1", "--seed", seed, "--name", "same", "--db", f"{name}.db") == 0
    assert agentr("db", "merge", "a.db", "b.db", "--into", "all.db") == 0
    assert "a run called 'same' is here already; this one is now called 'same-" in capsys.readouterr().err
    with open_store("all.db", read_only=True) as merged, open_store("b.db", read_only=True) as alone:
        assert merged.connection.all("PRAGMA foreign_key_check") == []
        run, own = merged.runs.select()[0], alone.runs.select()[0]
        assert run.key == own.key
        trees, mine = merged.trees.select(run.id), alone.trees.select()
        assert [(row.task, row.n_nodes) for row in trees] == [(row.task, row.n_nodes) for row in mine]
        last, own_last = merged.trees.load(trees[-1].id), alone.trees.load(mine[-1].id)
        assert [node.response for node in last.nodes] == [node.response for node in own_last.nodes]
        (made,), (set_alone,) = merged.revisions.select(run.id), alone.revisions.select()
        assert len(merged.revisions.samples(made.id)) == len(alone.revisions.samples(set_alone.id)) > 0
        stages = {row.stage: row.result_id for row in merged.runs.stages(run.id) if row.iteration == 1}
        assert stages["revise"] == made.id
        assert merged.evaluations.get(stages["evaluate"] or 0).run_id == run.id


@pytest.mark.parametrize(("version", "said"), [(1, "older agentr (schema 1"), (99, "newer agentr (schema 99")])
def test_another_schema_is_refused_in_a_sentence(
    parts: Path, here: Path, version: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    other = here / "other.db"
    other.write_bytes((parts / "part1.db").read_bytes())
    with sqlite3.connect(other) as connection:
        connection.execute(f"PRAGMA user_version={version}")
    assert agentr("db", "merge", *paths(parts, 2), "other.db", "--into", "all.db") == 1
    assert said in capsys.readouterr().err
    assert not (here / "all.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("search", *SMALL, "--shard", "0/3"), "--shard 0/3: write I/N"),
        (("search", *SMALL, "--shard", "4/3"), "--shard 4/3: write I/N"),
        (("search", *SMALL, "--shard", "1/3", "-o", "search.sampler=failing_first"), "a part has its own alone"),
        (("db", "merge", "a.db", "--into", "a.db"), "a.db is merged into itself"),
        (("db", "merge", "a.db", "--into", "b.db"), "there is no database at a.db"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_refused(
    here: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert agentr(*arguments) in (1, 2)
    assert said in capsys.readouterr().err


def test_a_part_that_is_there_already_is_not_begun_again(
    parts: Path, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "part1.db").write_bytes((parts / "part1.db").read_bytes())
    assert agentr("search", *SMALL, "--db", "part1.db", "--shard", "1/3") == 2
    assert "is here already; go on with it: agentr resume" in capsys.readouterr().err
