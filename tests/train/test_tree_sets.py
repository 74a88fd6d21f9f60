"""Sets of preferences, actions and values: made of the trees in the store, handed over, listed, shown and exported."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learning import write_model
from project_stages import configure
from viewing import Viewed, entered

from agentr_core import NothingToDo, RunConfig, tree_row
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.runs.single_stages import train_again
from agentr_core.runs.start_and_resume import run
from agentr_core.store import DatasetRow, open_store
from agentr_core.train.tree_sets import read_tree_set

READERS = {"preferences": "learning:PairReader", "actions": "learning:ActionReader", "values": "learning:ValueReader"}
Train = Callable[..., tuple[DatasetRow, dict[str, Any]]]


def config_of(folder: Path, trainer: str, **changes: Any) -> RunConfig:
    model = {"model": str(folder / "base")}
    return configure(**{"policy": "learning:Learner", "learning:Learner": model, "trainer": trainer, **changes})


@pytest.fixture(scope="module")
def revised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("revised")
    write_model(folder / "base", 0.5)
    config = config_of(folder, READERS["actions"], search={"tasks": 4})
    run(config, db=folder / "agentr.db", stages=("search", "revise"), progress=Progress(quiet=True))
    return folder


@pytest.fixture
def train(revised: Path, tmp_path: Path) -> Train:
    """Trains beside the run; the dataset's row, and what the trainer saw."""
    shutil.copytree(revised, tmp_path, dirs_exist_ok=True)

    def make(trainer: str, **changes: Any) -> tuple[DatasetRow, dict[str, Any]]:
        config, db = config_of(tmp_path, trainer, search={"tasks": 4}, **changes), tmp_path / "agentr.db"
        train_again("last", config, db=db, iteration=1, out=tmp_path / "out", progress=Progress(quiet=True))
        with open_store(db, read_only=True) as store:
            made = store.checkpoints.select()[-1]
            row = store.datasets.get(made.dataset_id)
            assert made.metrics["rows"] == row.n_examples and made.metrics["training_seconds"] > 0
            assert store.datasets.items(row.id) == []
        return row, json.loads((Path(made.path).parent / "seen.json").read_text())

    return make


@pytest.mark.parametrize("reads", READERS)
def test_a_trainer_gets_what_it_reads_and_the_store_keeps_where_it_is_from(reads: str, train: Train) -> None:
    row, seen = train(READERS[reads])
    first, second = seen["rows"]
    assert first == second and len(first) == row.n_examples > 0
    assert (row.reads, row.content_hash) == (reads, seen["hash"])
    assert row.config["selection"]["trees"] == len(row.config["origin"]["trees"]) == 4
    assert seen["on_policy"] and seen["origin"]["models"] == ["base"]
    assert seen["origin"]["sampling"] == {"temperature": 1.0, "top_p": 1.0}
    again, _ = train(READERS[reads])
    assert again.id == row.id, "the same trees are the same set"


def test_preferences_are_those_of_attempts_and_those_of_siblings(train: Train) -> None:
    row, seen = train(READERS["preferences"])
    kinds = [content[3] for content in seen["rows"][0]]
    counts = {kind: kinds.count(kind) for kind in ("step", "trajectory")}
    assert all(counts.values()) and counts.items() <= row.config["selection"].items()
    assert row.set_id is not None and row.name == "preferences-actor"


def test_conversations_come_beside_where_the_trainer_mixes_them(train: Train) -> None:
    alone, _ = train(READERS["actions"])
    mixed, seen = train("learning:MixedReader")
    assert seen["conversations"] > 0 and mixed.content_hash != alone.content_hash
    assert mixed.config["conversations"] != mixed.content_hash
    fewer, _ = train("learning:MixedReader", data={"recipe": "good"})
    assert fewer.content_hash != mixed.content_hash


def test_actions_need_no_revisions(tmp_path: Path) -> None:
    write_model(tmp_path / "base", 0.5)
    db, config = tmp_path / "agentr.db", config_of(tmp_path, READERS["actions"], search={"tasks": 2})
    run(config, db=db, stages=("search",), progress=Progress(quiet=True))
    metrics = train_again("last", config, db=db, iteration=1, out=tmp_path, progress=Progress(quiet=True))
    assert metrics["rows"] > 0
    with pytest.raises(NothingToDo, match="revise"):
        pairs = config_of(tmp_path, READERS["preferences"], search={"tasks": 2})
        train_again("last", pairs, db=db, iteration=1, out=tmp_path, progress=Progress(quiet=True))


def test_trees_in_which_nothing_was_better_are_nothing_to_train_on(tmp_path: Path) -> None:
    write_model(tmp_path / "base", 1.0)  # errs always
    db, config = tmp_path / "agentr.db", config_of(tmp_path, READERS["actions"], search={"tasks": 1})
    config = configure(
        policy="learning:Learner", trainer=READERS["actions"], search={"tasks": 1}, mcts={"simulations": 1, "depth": 1},
        **{"learning:Learner": {"model": str(tmp_path / "base")}},
    )  # fmt: skip
    run(config, db=db, stages=("search",), progress=Progress(quiet=True))
    with pytest.raises(NothingToDo, match="there are no actions in the 1 trees of iteration 1: none of them has"):
        train_again("last", config, db=db, iteration=1, out=tmp_path, progress=Progress(quiet=True))


def call(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["datasets", *arguments]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("reads", READERS)
def test_sets_are_listed_shown_and_exported(
    reads: str, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row, _ = train(READERS[reads])
    db = ("--db", str(tmp_path / "agentr.db"))
    (listed,) = json.loads(call(capsys, "list", *db, "--json"))
    assert (listed["reads"], listed["n_examples"]) == (reads, row.n_examples)
    shown = call(capsys, "show", str(row.id), "2", *db)
    assert f"2 of {row.n_examples:,}" in shown and ("┃" in shown) == (reads != "values")
    assert ("chosen: better by" in shown and "rejected" in shown) == (reads == "preferences")
    lines = [json.loads(line) for line in call(capsys, "export", str(row.id), *db).splitlines()]
    assert len(lines) == row.n_examples and all("tree" in line["origin"] for line in lines)
    assert json.loads(call(capsys, "show", str(row.id), "2", *db, "--json")) == {"position": 2, **lines[1]}
    assert main(["datasets", "show", str(row.id), str(row.n_examples + 1), *db]) == 2


def test_rows_that_are_not_those_of_before_are_said(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A set is a view: what is exported is what the trees give now, and whether it is what was trained on is known."""
    row, _ = train(READERS["values"])
    db = tmp_path / "agentr.db"
    export = ["datasets", "export", str(row.id), "--db", str(db)]
    assert main(export) == 0 and "warning" not in capsys.readouterr().err
    with sqlite3.connect(db) as connection:
        connection.execute("UPDATE nodes SET value_sum = value_sum / 2")
    assert main(export) == 0
    assert f"warning: these are not the rows that dataset {row.id} was made of" in capsys.readouterr().err


def test_preferences_are_exported_in_the_columns_of_trl(
    train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row, seen = train(READERS["preferences"])
    out = call(capsys, "export", str(row.id), "--format", "trl", "--db", str(tmp_path / "agentr.db"))
    lines = [json.loads(line) for line in out.splitlines()]
    assert all(set(line) == {"prompt", "chosen", "rejected", "origin"} for line in lines)
    told = [[[turn["role"], turn["content"]] for turn in line["chosen"]] for line in lines]
    assert told == [[turn[:2] for turn in content[1]] for content in seen["rows"][0]]
    assert set(lines[0]["prompt"][0]) == {"role", "content"}


@pytest.mark.parametrize("reads", READERS)
def test_the_viewer_shows_the_rows_of_a_set_a_page_at_a_time(reads: str, train: Train, tmp_path: Path) -> None:
    row, _ = train(READERS[reads])
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        whole = [tree_row(each) for each in read_tree_set(store, row).rows]
    with Viewed(tmp_path / "agentr.db") as viewed:
        visitor, found, cursor = entered(viewed), [], None
        dataset = visitor.get(f"datasets/{row.id}")
        while cursor or not found:
            page = visitor.get(f"datasets/{row.id}/items", limit=7, **({"cursor": cursor} if cursor else {}))
            found, cursor = [*found, *page["items"]], page["next"]
        kind, count = next(iter(dataset["kinds"].items()))
        of_kind = visitor.get(f"datasets/{row.id}/items", limit=200, kind=kind)
    assert sum(dataset["kinds"].values()) == row.n_examples
    assert of_kind["next"] is not None or len(of_kind["items"]) == count
    assert {item["kind"] for item in of_kind["items"]} == {kind}
    assert [item["position"] for item in found] == [*range(1, row.n_examples + 1)]
    for item, told in zip(found, whole, strict=True):
        assert item["origin"] == told["origin"]
        for part in item["parts"]:
            assert [(turn["text"], turn["train"]) for turn in part["turns"]] == [
                (turn["content"], turn["train"]) for turn in told[part["name"]]
            ]
