"""What tables call things, and several runs side by side, over runs that were really made."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from learning import write_model

import agentr_core
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.runs import labels, report, side_by_side, start_and_resume
from agentr_core.runs.single_stages import evaluate_again, revise_again

QUIET = Progress(quiet=True)


def configure(**values: Any) -> Any:
    settings: dict[str, Any] = {
        "policy": "flawed",
        "flawed": {"rate": 0.6},
        "trainer": "none",
        "iterations": 1,
        "textcraft": {"world": "synthetic"},
        "search": {"tasks": 3},
        "evaluate": {"tasks": 8, "max_turns": 8},
    }
    if values.get("searcher", "mcts") == "mcts":
        settings["mcts"] = {"simulations": 3, "depth": 8}
    return agentr_core.configure(**{**settings, **values})


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seeds of one setting, one run of another searcher, and two policies measured against the first run."""
    path = tmp_path_factory.mktemp("side") / "project.db"
    for seed in range(3):
        agentr_core.run(configure(seed=seed), db=path, name=f"mcts-{seed}")
    agentr_core.run(configure(searcher="best_of_n", seed=0), db=path, name="best-0")
    for policy, options in (("expert", {}), ("flawed", {"rate": 0.1})):
        measured = configure(policy=policy, flawed=options) if options else configure(policy=policy, flawed={})
        evaluate_again("mcts-0", measured, db=path, checkpoint=None, progress=QUIET)
    evaluate_again("mcts-0", configure(evaluate={"tasks": 4, "max_turns": 8}), db=path, checkpoint=None, progress=QUIET)
    for temperature, votes in ((0.0, 1), (1.0, 3)):
        critic = {"critic": "actor", "actor": {"temperature": temperature, "votes": votes}}
        revise_again("mcts-0", configure(**critic), db=path, iteration=1, progress=QUIET)
    return path


def test_another_model_is_called_by_its_name_and_set_against_the_real_baseline(db: Path) -> None:
    with agentr_core.open_store(db) as store:
        rows = {row["label"]: row for row in report.iteration_rows(store, store.runs.find("mcts-0"))}
    assert list(rows) == ["baseline", "expert", "flawed-0.1-0.9 · rate=0.1", "baseline · tasks=4", "iteration 1"]
    expert, baseline = rows["expert"], rows["baseline"]
    assert expert["gain"] == pytest.approx(expert["success"] - baseline["success"]) and expert["gain"] > 0
    assert "gain" not in baseline and "gain" not in rows["baseline · tasks=4"], "other tasks have no baseline"


def test_the_model_that_a_search_began_with_is_the_baseline_though_it_lies_beside_the_database(tmp_path: Path) -> None:
    learner = {"name": "learning:Learner", "model": str(write_model(tmp_path / "base", 0.5))}
    config, db = configure(policy=learner, flawed={}, evaluate={"tasks": 2, "max_turns": 4}), tmp_path / "agentr.db"
    start_and_resume.run(config, db=db, stages=("search",), progress=QUIET)
    evaluate_again("last", config, db=db, checkpoint=None, progress=QUIET)
    with agentr_core.open_store(db) as store:
        (row,) = report.iteration_rows(store, store.runs.find("last"))
    assert (row["label"], row["began"]) == ("baseline", True)


def test_a_listing_names_what_was_measured(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evals", "list", "mcts-0", "--db", str(db)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines[1:]] == ["baseline", "iteration", "expert", "flawed-0.1-0.9", "baseline"]


def test_sets_of_one_critic_are_told_apart_by_their_options_and_of_several_runs_by_the_run(db: Path) -> None:
    with agentr_core.open_store(db) as store:
        chosen = [store.runs.find(name) for name in ("mcts-0", "mcts-1")]
        alone, both = report.critics(store, chosen[:1]), report.critics(store, chosen)
    labels = [row[0] for row in alone.rows]
    assert len(set(labels)) == len(labels) and "actor · temperature=1.0 · votes=3" in labels
    assert both.columns[0] == "run" and {row[0] for row in both.rows} == {"mcts-0", "mcts-1"}
    assert len({tuple(row[:2]) for row in both.rows}) == len(both.rows)


def test_searchers_are_compared_by_what_they_took(db: Path) -> None:
    with agentr_core.open_store(db) as store:
        runs = [store.runs.find(name) for name in ("mcts-0", "best-0")]
        (table,) = side_by_side.side_by_side(store, runs)
        trees = store.trees.select(runs[1].id)
    costs = {row["name"]: row for row in table.data}
    assert costs["best-0"]["tree_samples"] == pytest.approx(sum(tree.stats["samples"] for tree in trees) / len(trees))
    assert costs["best-0"]["solved"] == sum(tree.best_reward == 1.0 for tree in trees)
    assert [row[1] for row in table.rows] == ["textcraft · mcts · actor", "textcraft · best_of_n · actor"]
    assert {"solved", "samples a tree", "tokens a tree", "seconds a tree"} <= set(table.columns)
    assert any("means a tree" in note for note in table.notes)


def test_runs_that_differ_in_the_seed_alone_are_summed_up(db: Path) -> None:
    with agentr_core.open_store(db) as store:
        runs = [store.runs.find(name) for name in ("best-0", "mcts-0", "mcts-1", "mcts-2")]
        each, summary = side_by_side.side_by_side(store, runs)
    best, mcts = summary.data
    assert (best["seeds"], mcts["seeds"], mcts["names"]) == ([0], [0, 1, 2], ["mcts-0", "mcts-1", "mcts-2"])
    successes = [row["success"] for row in each.data[1:]]
    assert mcts["success"] == pytest.approx(sum(successes) / 3)
    assert mcts["against_first"] == pytest.approx(successes[0] - each.data[0]["success"]), "paired by seed"
    assert best["success_half"] is None and mcts["success_half"] is not None
    assert summary.rows[1][0] == "mcts-0 and 2 more"


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seeds over two environments, one run over one of them; an evaluation with settings of one environment."""
    path = tmp_path_factory.mktemp("mixed") / "project.db"
    both = {"env": "webshop,textcraft", "webshop": {"products": 60}, "searcher": "greedy", "critic": "last"}
    for seed in range(2):
        agentr_core.run(configure(**both, seed=seed), db=path, name=f"both-{seed}")
    agentr_core.run(configure(**{**both, "env": "webshop"}), db=path, name="shop")
    own = configure(**{**both, "webshop": {"products": 60, "evaluate": {"tasks": 3, "split": "valid"}}})
    evaluate_again("both-0", own, db=path, checkpoint=None, progress=QUIET)
    return path


def test_runs_of_several_environments_have_a_row_for_each(mixed: Path) -> None:
    with agentr_core.open_store(mixed) as store:
        runs = [store.runs.find(name) for name in ("both-0", "both-1", "shop")]
        each, seeds = side_by_side.side_by_side(store, runs)
        parts = {row["environment"]: row for row in report.iterations(store, runs[0]).data if "environment" in row}
        rows = report.iteration_rows(store, runs[0])
    labels = ["webshop,textcraft · greedy · last · mean of 2", "  webshop", "  textcraft"]
    assert [row[1] for row in each.rows] == [*labels, *labels, "webshop · greedy · last"]
    whole, shop, craft, *_, alone = each.data
    assert whole["trees"] == shop["trees"] + craft["trees"] == 6
    last = next(row for row in rows if row["own"] and row["iteration"] == 1)
    assert shop["success"] == last["environments"]["webshop"]["success"] and parts.keys() == {"webshop", "textcraft"}
    assert alone["against_first"] == pytest.approx(alone["success"] - shop["success"]), "on the tasks that both played"
    summary = {row["label"].strip(): row for row in seeds.data}
    assert summary["textcraft"]["success"] == pytest.approx((craft["success"] + each.data[5]["success"]) / 2)
    assert summary["webshop · greedy · last"]["against_first"] == pytest.approx(alone["success"] - shop["success"])


def test_settings_of_one_of_several_environments_are_named_by_it(mixed: Path) -> None:
    with agentr_core.open_store(mixed) as store:
        labels = [row["label"] for row in report.iteration_rows(store, store.runs.find("both-0"))]
    assert "baseline · webshop.evaluate.split=valid · webshop.evaluate.tasks=3" in labels


def test_options_of_environments_tell_runs_apart_where_both_have_them() -> None:
    one = {"env": {"name": "webshop", "options": {"products": 60, "seed": 0}}}
    both = [{"name": "webshop", "options": {"products": 50, "seed": 0}}, {"name": "craft", "options": {"depth": 3}}]
    apart = labels.told_apart([one, {"env": both}])
    assert [labels.setting_texts(side_by_side._unnamed(each)) for each in apart] == [
        ["webshop.products=60"],
        ["webshop.products=50"],
    ]


def test_a_run_from_before_there_was_a_setting_had_its_default(db: Path, tmp_path: Path) -> None:
    old = shutil.copy(db, tmp_path / "old.db")
    with sqlite3.connect(old) as connection:
        changed = "UPDATE runs SET config_json = json_remove(config_json, '$.search.sampler') WHERE name = 'mcts-0'"
        assert connection.execute(changed).rowcount == 1
    tables = []
    for path in (db, old):
        with agentr_core.open_store(path) as store:
            chosen = [store.runs.find(name) for name in ("mcts-0", "mcts-1", "mcts-2")]
            tables.append([table.rows for table in side_by_side.side_by_side(store, chosen)])
    assert tables[0] == tables[1] and len(tables[0]) == 2


def test_an_interval_over_seeds_is_students() -> None:
    middle, half = side_by_side.over_seeds([0.5, 0.6, 0.7])
    assert (middle, half) == (pytest.approx(0.6), pytest.approx(4.303 * 0.1 / math.sqrt(3)))
    assert side_by_side.over_seeds([0.5]) == (0.5, None)
    known = {11: 2.201, 15: 2.131, 20: 2.086, 30: 2.042, 100: 1.984}
    assert {degrees: round(side_by_side.t_quantile(degrees), 3) for degrees in known} == pytest.approx(known, abs=0.003)


def test_a_comparison_is_written_as_csv_and_markdown(db: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = ["mcts-0", "mcts-1", "best-0"]
    assert main(["compare", *runs, "--db", str(db), "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert main(["compare", *runs, "--db", str(db), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == runs and len(data) == len(rows) + 2
    assert [float(row["success"]) for row in rows] == [row["success"] for row in data[:3]]
    assert main(["compare", *runs, "--db", str(db), "--format", "md"]) == 0
    first, second = capsys.readouterr().out.strip().split("\n\n")
    assert first.splitlines()[1].count("---") == first.splitlines()[0].count("|") - 1 and "| runs |" in second
    assert main(["compare", *runs, "--db", str(db), "--format", "md", "--json"]) == 2
