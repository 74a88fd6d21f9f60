"""One run over several environments: the same rows after kills, the same trees as alone, tables by environment."""

from __future__ import annotations

import io
import json
import random
import shutil
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from killing import KILLER, has_run, sqlite_is_sound
from learning import write_model
from scripted_runs import Agentr, dump

import agentr_core
from agentr_core.evaluate.metrics import average, summarize, summarize_worlds
from agentr_core.process.progress import Progress
from agentr_core.runs.costs import costs
from agentr_core.runs.report import iterations
from agentr_core.runs.single_stages import train_again
from agentr_core.runs.start_and_resume import run
from agentr_core.store import EvalResult, open_store
from agentr_core.train.mixture import in_proportion, trees_in_proportion
from agentr_core.train.tree_sets import read_tree_set

SMALL = (
    *("--searcher", "mcts", "-o", "mcts.depth=12", "-o", "mcts.simulations=3"),
    *("--policy", "flawed", "-o", "flawed.rate=0.5", "--critic", "value", "--trainer", "none"),
    *("--tasks", "6", "--iterations", "2", "--eval-tasks", "6", "-o", "evaluate.max_turns=10"),
    *("-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3", "-o", "webshop.products=60"),
)
WORLDS: dict[str, dict[str, Any]] = {
    "textcraft": {"world": "synthetic", "depth": 3, "max_steps": 14},
    "webshop": {"products": 60, "max_steps": 14},
}


def configure(env: str, **changes: Any) -> agentr_core.RunConfig:
    settings: dict[str, Any] = {
        "env": env, "policy": "flawed", "trainer": "none", "critic": "actor", "iterations": 1, "seed": 5,
        "flawed": {"rate": 0.5}, "mcts": {"simulations": 4, "depth": 9}, "search": {"tasks": 5},
        "evaluate": {"tasks": 6, "max_turns": 9, "revision_turns": 9},
    }  # fmt: skip
    own = {name: WORLDS[name] for name in env.split(",") if name in WORLDS}
    return agentr_core.configure(**{**settings, **own, **changes})


def worlds() -> list[str]:
    """All three where there is Java, else the two that need none."""
    java = shutil.which("java") is not None
    return ["textcraft", "webshop", *(["sciworld"] if java else [])]


@pytest.mark.slow
def test_a_run_over_all_environments_killed_five_times_ends_like_one_that_was_not(
    agentr: Agentr, tmp_path: Path
) -> None:
    few = ("-o", "sciworld.only=lifespan-longest-lived", "-o", "sciworld.search.tasks=1")
    few = (*few, "-o", "sciworld.evaluate.tasks=1", "--no-revision-test") if "sciworld" in worlds() else ()
    start = ("run", "--env", ",".join(worlds()), *SMALL, *few)
    whole, killed, killer = tmp_path / "whole", tmp_path / "killed", tmp_path / "killer.py"
    whole.mkdir()
    killed.mkdir()
    killer.write_text(KILLER)
    start = (*start, "--plugin", str(killer))
    done = agentr(*start, cwd=whole)
    assert done.returncode == 0, done.stderr
    rng, kills = random.Random(5), 0
    while kills < 5:
        again = ("resume", "last") if has_run(killed / "agentr.db") else start
        ended = agentr(*again, cwd=killed, KILL_AFTER=str(rng.uniform(0.05, 0.6)), KILL_FROM="run")
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
        assert sqlite_is_sound(killed / "agentr.db")
    assert kills >= 3, "the run ended before it could be killed: make it longer"
    done = agentr("resume", "last", cwd=killed)
    assert done.returncode == 0, done.stderr
    assert dump(killed / "agentr.db") == dump(whole / "agentr.db")


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("together") / "agentr.db"
    run(configure("textcraft,webshop"), db=path, progress=Progress(quiet=True))
    return path


@pytest.mark.parametrize("env", WORLDS)
def test_nothing_of_one_environment_reaches_the_other(env: str, together: Path, tmp_path: Path) -> None:
    """Trees, verdicts, samples and episodes are those of a run with this environment alone."""
    run(configure(env), db=tmp_path / "agentr.db", progress=Progress(quiet=True))
    with open_store(together, read_only=True) as mixed, open_store(tmp_path / "agentr.db", read_only=True) as alone:
        assert rows_of(mixed, env) == rows_of(alone, env)


def rows_of(store: Any, env: str) -> list[Any]:
    """All that was played, judged and measured in one environment, without the numbers of rows."""
    found = []
    for row in sorted(store.trees.select(), key=lambda row: row.task):
        if row.env == env:
            tree = store.trees.load(row.id)
            found.append([row.task, tree.seed, tree.head, [(n.response, n.observation, n.reward) for n in tree.nodes]])
            for revisions in store.revisions.select():
                samples = [s for s in store.revisions.samples(revisions.id) if s.tree_id == row.id]
                found.append([(s.kind, s.cut, s.reward, store.conversations.get(s.conversation)) for s in samples])
    for evaluation in store.evaluations.select():
        results = [r for r in store.evaluations.results(evaluation.id) if r.env == env]
        told = [(r.task, r.reward, r.steps, store.conversations.get(r.conversation)) for r in results]
        found.append([evaluation.iteration, evaluation.kind, sorted(told, key=lambda each: each[0])])
    return found


def test_trees_of_all_environments_are_planned_side_by_side(together: Path) -> None:
    with open_store(together, read_only=True) as store:
        envs = [row.env for row in store.trees.select()]
    assert envs == ["textcraft", "webshop"] * 5


def test_the_table_has_each_environment_and_their_mean(together: Path) -> None:
    with open_store(together, read_only=True) as store:
        last = store.runs.find("last")
        table = iterations(store, last)
        results = {row.id: store.evaluations.results(row.id) for row in store.evaluations.select(kind="plain")}
    assert [row[0] for row in table.rows[:3]] == ["baseline · mean of 2", "  textcraft", "  webshop"]
    whole, *parts = table.data[:3]
    own = [[r for r in results[whole["eval"]] if r.env == name] for name in WORLDS]
    assert [part["success"] for part in parts] == [summarize(each)["success"] for each in own]
    assert whole["success"] == pytest.approx(sum(part["success"] for part in parts) / 2)
    assert table.data[3]["gain"] == pytest.approx(sum(part["gain"] for part in table.data[4:6]) / 2)


def test_an_environment_counts_as_one_however_many_tasks_it_has() -> None:
    many = [EvalResult(task_id=index, success=True, reward=1.0) for index in range(90)]
    few = [EvalResult(task_id=index, success=False, reward=0.0) for index in range(10)]
    both = summarize_worlds({"many": many, "few": few})
    assert both["success"] == 0.5 and both["tasks"] == 100 and both["many/success"] == 1.0
    assert summarize_worlds({"many": many, "none": []})["many/success"] == 1.0
    parts = [summarize(many), summarize(few)]
    halves = [(part["success_high"] - part["success_low"]) / 2 for part in parts]
    expected = (halves[0] ** 2 + halves[1] ** 2) ** 0.5 / 2
    assert average(parts)["success_high"] == pytest.approx(0.5 + expected)


BROKEN = """
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft

class Broken(TextCraft):
    config_class = TextCraftConfig
    def step(self, action):
        raise ValueError("the world has ended")

class Barren(TextCraft):
    config_class = TextCraftConfig
    def step(self, action):
        return super().step(action).model_copy(update={"reward": 0.0})
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "worlds_of_mine.py").write_text(BROKEN)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("stages", "told"),
    [
        (("search",), "every tree of iteration 1 in 'worlds_of_mine:Broken' failed; the first: "),
        (("evaluate",), "baseline evaluate: no task of 'worlds_of_mine:Broken' could be played; the first: "),
    ],
)
def test_an_environment_where_nothing_could_be_played_is_an_error_and_no_zero(
    stages: tuple[Any, ...], told: str, written: Path
) -> None:
    config = configure("textcraft,worlds_of_mine:Broken")
    with pytest.raises(agentr_core.AgentrError, match=told):
        run(config, db=written / "agentr.db", stages=stages, progress=Progress(quiet=True))


def test_an_environment_that_brings_nothing_to_train_on_is_named(written: Path) -> None:
    said = io.StringIO()
    learner = {"name": "learning:Learner", "model": str(write_model(written / "start", 0.5))}
    config = configure("textcraft,worlds_of_mine:Barren", policy=learner, trainer="learning:Halver")
    stages: tuple[Any, ...] = ("search", "revise", "train")
    run(config, db=written / "agentr.db", stages=stages, progress=Progress(stream=said))
    assert "warning: nothing of 'worlds_of_mine:Barren' is trained on" in said.getvalue()


def test_own_settings_of_a_stage_are_no_other_environment(agentr: Agentr, together: Path, tmp_path: Path) -> None:
    shutil.copy(together, tmp_path / "agentr.db")
    done = agentr("eval", "--run", "last", "-o", "webshop.evaluate.tasks=2", "-o", "webshop.evaluate.split=valid")
    assert done.returncode == 0, done.stderr
    measured = json.loads(agentr("evals", "list", "last", "--json").stdout)[-1]
    assert measured["split"] == "test,valid" and measured["metrics"]["webshop/tasks"] == 2


def test_the_commands_know_the_environment_of_a_row(agentr: Agentr, together: Path, tmp_path: Path) -> None:
    shutil.copy(together, tmp_path / "agentr.db")
    for command in (("trees", "list"), ("trajectories", "list"), ("revisions", "list"), ("evals", "show", "1")):
        told = agentr(*command).stdout
        assert "textcraft/synthetic" in told and "webshop/generated" in told, command
    listed = json.loads(agentr("trees", "list", "--json").stdout)
    assert {row["env"] for row in listed} == set(WORLDS)
    assert "textcraft,webshop" in agentr("runs", "list", "--env", "webshop").stdout
    assert "mean of 2" in agentr("compare", "last").stdout


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


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over both whose one iteration trains, beside general conversations."""
    folder = tmp_path_factory.mktemp("trained")
    general = folder / "general.jsonl"
    turn = {"messages": [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "good day"}]}
    general.write_text("".join(json.dumps(turn) + "\n" for _ in range(50)))
    learner = {"model": str(write_model(folder / "base", 0.5))}
    changes = {"policy": "learning:Learner", "trainer": "learning:Halver", "learning:Learner": learner}
    mixed = {**changes, "data": {"eta": 0.8, "general": str(general)}}
    run(configure("textcraft,webshop", **mixed), db=folder / "agentr.db", progress=Progress(quiet=True))
    return folder / "agentr.db"


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
