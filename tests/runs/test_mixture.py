"""What several environments of a run give the training: by weight, by share, of one alone; what each of them took."""

from __future__ import annotations

import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from learning import write_model
from mixed_runs import WORLDS, configure
from scripted_runs import Agentr

import agentr_core
from agentr_core.process.progress import Progress
from agentr_core.report.methods import methods
from agentr_core.runs.costs import costs
from agentr_core.runs.look_ahead import dry_run
from agentr_core.runs.report import iterations
from agentr_core.runs.single_stages import evaluate_again, train_again
from agentr_core.runs.start_and_resume import run
from agentr_core.runs.trainers import trainers
from agentr_core.store import RunRow, open_store
from agentr_core.train.mixture import in_proportion, trees_in_proportion
from agentr_core.train.tree_sets import read_tree_set


def example(env: str, number: int) -> agentr_core.Example:
    return agentr_core.Example((agentr_core.Message("user", str(number)),), "good", {"env": env})


@pytest.mark.parametrize(
    ("weights", "max_share", "expected"),
    [
        ({}, 1.0, {"a": 80, "b": 20, "c": 10}),
        ({"a": 1.0, "b": 1.0, "c": 1.0}, 1.0, {"a": 10, "b": 10, "c": 10}),
        ({"a": 2.0, "b": 1.0, "c": 1.0}, 1.0, {"a": 20, "b": 10, "c": 10}),
        ({}, 0.5, {"a": 30, "b": 20, "c": 10}),
        ({}, 0.1, {"a": 10, "b": 10, "c": 10}),
        ({"a": 0.0}, 1.0, {"a": 0, "b": 20, "c": 10}),
        ({"a": 0.0, "b": 1.0, "c": 1.0}, 1.0, {"a": 0, "b": 10, "c": 10}),
        ({"a": 0.0}, 0.5, {"a": 0, "b": 10, "c": 10}),
        ({"a": 0.0, "b": 0.0, "c": 0.0}, 1.0, {"a": 0, "b": 0, "c": 0}),
    ],
)
def test_the_mixture(weights: dict[str, float], max_share: float, expected: dict[str, int]) -> None:
    there = {"a": 80, "b": 20, "c": 10}
    examples = [example(env, number) for env, count in there.items() for number in range(count)]
    taken = in_proportion(examples, weights, max_share=max_share, seed=3)
    counts = {name: sum(one.origin["env"] == name for one in taken) for name in there}
    assert counts == expected
    assert taken == [one for one in examples if one in taken]
    assert taken == in_proportion(examples, weights, max_share=max_share, seed=3)


@pytest.mark.parametrize(
    ("weights", "max_share", "most"),
    [
        ({}, 1.0, {"a": 80, "b": 20}),
        ({"a": 1.0, "b": 1.0}, 1.0, {"a": 20, "b": 20}),
        ({"a": 2.0, "b": 1.0}, 1.0, {"a": 40, "b": 20}),
        ({}, 0.5, {"a": 20, "b": 20}),
    ],
)
def test_trees_are_mixed_whole(weights: dict[str, float], max_share: float, most: dict[str, int]) -> None:
    """Ten trees of eight rows and four of five, and one of each that gave none."""
    trees = dict.fromkeys(range(10), ("a", 8)) | dict.fromkeys(range(10, 14), ("b", 5))
    trees |= {20: ("a", 0), 21: ("b", 0)}
    taken = trees_in_proportion(trees, weights, max_share=max_share, seed=3)
    rows = {name: sum(trees[tree][1] for tree in taken if trees[tree][0] == name) for name in most}
    assert all(most[name] - 8 < rows[name] <= most[name] for name in most) and rows["b"] == 20
    assert taken == trees_in_proportion(trees, weights, max_share=max_share, seed=3)
    assert trees_in_proportion({1: ("a", 0)}, weights, max_share=max_share, seed=3) == set()
    assert trees_in_proportion({1: ("a", 9), 2: ("b", 1)}, {"a": 1.0, "b": 1.0}, seed=3) == {1, 2}, "one at the least"


def test_what_each_environment_took_adds_up_to_the_run(trained: Path) -> None:
    with open_store(trained, read_only=True) as store:
        last = store.runs.find("last")
        table, trees = costs(store, last), store.trees.select(last.id)
        (dataset,) = store.datasets.select(last.id)
        results = [each for row in store.evaluations.select(last.id) for each in store.evaluations.results(row.id)]
    assert [row["environment"] for row in table.data] == ["textcraft", "webshop", "general"]
    assert [row["trees"] for row in table.data] == [5, 5, 0]
    assert sum(row["training_rows"] for row in table.data) == dataset.n_examples
    assert all(row["training_rows"] for row in table.data)
    for row in table.data[:2]:
        own = [tree.stats for tree in trees if tree.env == row["environment"]]
        assert row["samples"] == sum(stats["samples"] for stats in own) > 0
        assert row["environment_seconds"] == pytest.approx(sum(stats["environment_seconds"] for stats in own))
        assert row["eval_episodes"] == sum(result.env == row["environment"] for result in results) > 0
        assert row["cached_share"] is None, "a scripted policy counts no tokens"


def test_weight_0_trains_on_one_of_them_over_the_trees_of_all(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained.parent, tmp_path, dirs_exist_ok=True)
    db, rows = tmp_path / "agentr.db", dict[str, set[str]]()
    learner = {"model": str(tmp_path / "base")}
    changes = {"policy": "learning:Learner", "trainer": "learning:Halver", "learning:Learner": learner}
    for left_out in WORLDS:
        worlds_ = {name: {**world, **({"weight": 0} if name == left_out else {})} for name, world in WORLDS.items()}
        alone = configure("textcraft,webshop", **changes, **worlds_)
        train_again("last", alone, db=db, iteration=1, out=None, progress=Progress(quiet=True))
        measured = alone if left_out == "webshop" else configure("textcraft,webshop", **changes)
        evaluate_again("last", measured, db=db, checkpoint="last", progress=Progress(quiet=True))
    with open_store(db, read_only=True) as store:
        run_row = store.runs.find("last")
        for dataset in store.datasets.select(run_row.id):
            rows[dataset.name] = {str(item.origin.get("env")) for item in store.datasets.items(dataset.id)}
        table = iterations(store, run_row).data
        labels = [row["label"] for row in table]
        models = [row["label"] for row in trainers(store, [run_row]).data]
    assert rows["agent-r-actor-webshop"] == {"webshop"} and rows["agent-r-actor-textcraft"] == {"textcraft"}
    assert any(label.startswith("iteration 1 · agent-r-actor-webshop · mean of 2") for label in labels)
    assert all("gain" in row for row in table if row["iteration"] == 1), "a weight does not change what is measured"
    assert len(set(models)) == 3 and any("agent-r-actor-webshop" in label for label in models), models


def test_weights_hold_for_what_is_read_of_trees(trained: Path, tmp_path: Path) -> None:
    """By rows: values of both worlds, five trees of each, in the proportion of the weights and at most in it."""
    shutil.copytree(trained.parent, tmp_path, dirs_exist_ok=True)
    model = {"learning:Learner": {"model": str(tmp_path / "base")}, "policy": "learning:Learner"}
    found = {}
    for heavier in (None, 1.0, 0.25):
        weights = {} if heavier is None else {"weight": heavier}
        worlds = {name: {**WORLDS[name], **(weights if name == "textcraft" else {})} for name in WORLDS}
        config = configure("textcraft,webshop", trainer="learning:ValueReader", **model, **worlds)
        train_again("last", config, db=tmp_path / "agentr.db", iteration=1, out=None, progress=Progress(quiet=True))
        with open_store(tmp_path / "agentr.db", read_only=True) as store:
            row = store.datasets.get(store.checkpoints.select()[-1].dataset_id)
            envs = {tree.id: tree.env for tree in store.trees.select()}
            rows = Counter(envs[each.origin["tree"]] for each in read_tree_set(store, row).rows)
        found[heavier] = rows
        assert len(row.config["origin"]["trees"]) + row.config["selection"].get("left_out_trees", 0) == 10
    assert sum(found[None].values()) > sum(found[1.0].values()) > sum(found[0.25].values())
    assert found[1.0]["textcraft"] <= found[1.0]["webshop"] * 1.5 and found[0.25]["textcraft"] < found[1.0]["textcraft"]


def test_trees_of_weight_0_give_no_rows_of_actions_either(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained.parent, tmp_path, dirs_exist_ok=True)
    learner = {"model": str(tmp_path / "base")}
    changes = {"policy": "learning:Learner", "trainer": "learning:ActionReader", "learning:Learner": learner}
    config = configure("textcraft,webshop", **changes, webshop={**WORLDS["webshop"], "weight": 0})
    train_again("last", config, db=tmp_path / "agentr.db", iteration=1, out=None, progress=Progress(quiet=True))
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        made = store.datasets.select()[-1]
        assert {store.trees.get(number).env for number in made.config["origin"]["trees"]} == {"textcraft"}
        assert made.name == "actions-textcraft"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"env": "textcraft", "data": {"max_share": 0.5}}, "data.max_share: is not used, since the run has one"),
    ],
)
def test_a_share_that_nothing_comes_of_is_said(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    learner = {"model": str(write_model(tmp_path / "base", 0.5))}
    config = {"policy": "learning:Learner", "trainer": "learning:Halver", "learning:Learner": learner, **changes}
    found, _ = dry_run(
        configure(config.pop("env", "textcraft,webshop"), **config), db=str(tmp_path / "no.db"), out=None
    )
    assert any(each.warning and told in f"{each.what}: {each.told}" for each in found), found


def test_demonstrations_of_one_environment_leave_the_other_without_any_which_is_said(
    trained: Path, tmp_path: Path
) -> None:
    shutil.copytree(trained.parent, tmp_path, dirs_exist_ok=True)
    db, said = tmp_path / "agentr.db", io.StringIO()
    with open_store(db) as store:
        shown = [example("webshop", number) for number in range(3)]
        run_id = store.runs.find("last").id
        made = store.datasets.save(
            run_id, 1, "shown", shown, content_hash="x", recipe="imported", set_id=None, config={}
        )
    learner = {"model": str(tmp_path / "base")}
    changes = {"policy": "learning:Learner", "trainer": "learning:Halver", "learning:Learner": learner}
    data = {"recipe": "demonstrations", "demonstrations": made.id}
    config = configure("textcraft,webshop", **changes, data=data)
    train_again("last", config, db=db, iteration=1, out=None, progress=Progress(stream=said))
    assert "warning: nothing of 'textcraft' is trained on: no demonstration is of it" in said.getvalue()


def test_settings_of_each_environment_have_a_line_of_their_own(trained: Path) -> None:
    with open_store(trained, read_only=True) as store:
        settings = {key: value for key, value, _ in agentr_core.run_settings(store.runs.find("last"))}
    assert settings["env.name"] == "textcraft,webshop" and settings["env.webshop.options.products"] == 60


def test_the_report_says_in_what_proportion_environments_were_trained_on() -> None:
    weighed = configure(
        "textcraft,webshop",
        trainer={"name": "sft"},
        policy={"name": "transformers", "model": "tiny"},
        webshop={**WORLDS["webshop"], "weight": 2, "evaluate": {"max_turns": 5}},
        data={"max_share": 0.6},
    )
    stored = RunRow(
        id=1, key="K", name=None, command="run", status="done", seed=5, config=weighed.model_dump(mode="json"),
        config_hash="", error=None, host="", pid=0, agentr_version="", created_at="", finished_at=None,
    )  # fmt: skip
    told = methods(stored)
    assert "environments by weight (textcraft 1, webshop 2), none with more than 60% of it." in told
    assert "at most 9 and 5 turns each" in told


def test_runs_show_tells_it_in_80_columns(agentr: Agentr, trained: Path, tmp_path: Path) -> None:
    shutil.copy(trained, tmp_path / "agentr.db")
    told = json.loads(agentr("runs", "show", "last", "--json").stdout)["environments"]
    assert [row["environment"] for row in told] == ["textcraft", "webshop", "general"]
    shown = agentr("runs", "show", "last", COLUMNS="80").stdout.splitlines()
    (first,) = [number for number, line in enumerate(shown) if line.startswith("environment")]
    lines = shown[first : first + shown[first:].index("")]
    assert [line.split()[0] for line in lines[-3:]] == ["textcraft", "webshop", "general"]
    assert len(lines[0].split()) == len(lines[-1].split()) == 9 and all(len(line) <= 80 for line in lines)


def test_one_environment_alone_has_no_such_table(tmp_path: Path) -> None:
    run(configure("textcraft"), db=tmp_path / "agentr.db", progress=Progress(quiet=True))
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        assert costs(store, store.runs.find("last")).rows == []
