"""``agentr datasets import``: a file of others' demonstrations becomes a dataset that ``agentr train`` trains on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from training_fixtures import model_folder as model_folder

from agentr_core import create
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.run_context import RunContext
from agentr_core.runs import single_stages
from agentr_core.runs.start_and_resume import stored_config
from agentr_core.store import open_store
from agentr_core.train.stage import collect

WORLD = ["--env", "textcraft", "-o", "world=synthetic", "-o", "env.depth=2"]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five conversations: four that play again, one that shows something else, and one of another world."""
    monkeypatch.chdir(tmp_path)
    environment = create("env", "textcraft", world="synthetic", depth=2)
    items = []
    for task in environment.tasks("train")[:5]:
        turns = [("human", "You craft."), ("gpt", "OK"), ("human", environment.reset(task))]
        for action in environment.demonstrate(task) or ():
            turns += [("gpt", f"Action: {action}"), ("human", environment.step(action).observation)]
        items.append({"item_id": task.key, "conversations": [{"from": a, "value": b} for a, b in turns[:-1]]})
    items[3]["conversations"][4]["value"] = "A cat"
    items.append({**items[0], "item_id": "alfworld_1", "conversations": [{"from": "human", "value": "x"}, *turns_of()]})
    Path("demos.json").write_text(json.dumps(items))


def turns_of() -> list[dict[str, str]]:
    return [{"from": "gpt", "value": "Action: go"}]


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    return code, *capsys.readouterr()


def test_the_counts_are_said_and_the_set_is_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = said(capsys, "datasets", "import", "demos.json", *WORLD, "--show-differences")
    assert code == 0, err
    assert "1 of 6 skipped (1 about no task of the environment, entry 6)" in out
    rows = [line.split() for line in out.splitlines()]
    assert ["played", "again", "exactly", "4", "80.0%"] in rows and ["another", "observation", "1"] in rows
    assert "  file  A cat\n" in out and "turn 1: another observation" in out
    assert "agentr train --run demos --model MODEL" in err
    _, listed, _ = said(capsys, "datasets", "list", "--json")
    (row,) = json.loads(listed)
    assert (row["name"], row["recipe"], row["n_examples"]) == ("demos", "imported", 5)
    assert (row["config"]["replay"], row["config"]["read"]) == ({"exact": 4, "other": 1, "broken": 0}, 5)
    _, shown, _ = said(capsys, "datasets", "show", "1", "4")
    assert "file demos.json" in shown and "item synthetic_" in shown and "replay other" in shown
    assert "command  agentr import" in said(capsys, "runs", "show", "demos")[1]


def test_the_same_file_again_is_the_stored_set_and_another_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    first = json.loads(said(capsys, "datasets", "import", "demos.json", *WORLD, "--json")[1])
    again = json.loads(said(capsys, "datasets", "import", "demos.json", *WORLD, "--json", "--show-differences")[1])
    (difference,) = again.pop("first_differences")
    assert again == first and (difference["file"], difference["turn"]) == ("A cat", 1)
    more = ("--run", "b", "--only-exact", "--json")
    other = json.loads(said(capsys, "datasets", "import", "demos.json", *WORLD, *more)[1])
    assert (other["dataset"], other["read"], other["skipped"]["not played again exactly"]) == (2, 4, 1)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nofile.json", *WORLD], 2, "'nofile.json' cannot be read: No such file or directory"),
        (["demos.json", "--env", "textcraft,webshop"], 2, "a file is imported for one environment"),
        (["demos.json", "--env", "textcraft", "-o", "rules"], 2, "-o rules: must be KEY=VALUE"),
        (["demos.json", *WORLD, "--run", "last"], 2, "a run cannot be named 'last'"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_leaves_no_run(
    arguments: list[str], code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found, _, err = said(capsys, "datasets", "import", *arguments)
    assert found == code and told in err and "Traceback" not in err
    if Path("agentr.db").exists():
        with open_store("agentr.db") as store:
            assert store.runs.select() == []


def test_a_model_is_trained_on_it_alone(model_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "datasets", "import", "demos.json", *WORLD)[0] == 0
    code, out, err = said(
        capsys, "train", "--run", "demos", "--model", str(model_folder), "-o", "sft.epochs=1", "--json"
    )
    assert code == 0, err
    (metrics,) = json.loads(out)
    assert (metrics["examples"], metrics["general"]) == (5, 0)
    with open_store("agentr.db") as store:
        made = store.datasets.get(2)
        assert (made.recipe, made.config["demonstrations"], made.set_id) == ("demonstrations", 1, None)
        assert {item.origin["file"] for item in store.datasets.items(2)} == {"demos.json"}


SEARCH = [
    "run", "--env", "textcraft", "--policy", "flawed", "--trainer", "none", "--iterations", "1", "--tasks", "2",
    "--eval-tasks", "1", "-o", "textcraft.world=synthetic", "-o", "textcraft.depth=2", "-o", "mcts.simulations=4",
]  # fmt: skip


def test_a_run_trains_on_it_beside_its_trees(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, "datasets", "import", "demos.json", *WORLD)[0] == 0
    assert said(capsys, *SEARCH, "--name", "trees")[0] == 0
    with open_store("agentr.db") as store:
        config = stored_config(store.runs.find("trees"))[0]
    config = config.model_copy(update={"data": config.data.model_copy(update={"demonstrations": 1})})

    async def work(context: RunContext) -> Any:
        (revision_set,) = context.store.revisions.select(context.run.id)
        return collect(context, revision_set, 1)

    row, dataset = single_stages._on_stored_run("trees", config, "agentr.db", Progress(quiet=True), work)
    taken = [example for example in dataset.examples if "file" in example.origin]
    assert len(taken) == 5 == dataset.selection["demonstrations"] and len(dataset.examples) > 5
    assert row.config["demonstrations"] == 1


@pytest.mark.parametrize(
    ("number", "told"), [("7", "data.demonstrations: there is no dataset 7"), ("0", "data.demonstrations")]
)
def test_a_dataset_that_is_not_there_stops_a_run_before_it_begins(
    number: str, told: str, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--dry-run", "--env", "textcraft", "--model", str(model_folder)]
    code, _, err = said(capsys, *arguments, "-o", f"data.demonstrations={number}")
    assert code == 2 and told in err
