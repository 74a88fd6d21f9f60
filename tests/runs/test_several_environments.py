"""One run over several environments: the same rows after kills, the same trees as alone, tables by environment."""

from __future__ import annotations

import io
import json
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from killing import KILLER, has_run, sqlite_is_sound
from learning import write_model
from mixed_runs import WORLDS, configure
from scripted_runs import Agentr, dump

import agentr_core
from agentr_core.cli.main import main
from agentr_core.cli.reading import named_task
from agentr_core.evaluate.metrics import average, summarize, summarize_worlds
from agentr_core.process.progress import Progress
from agentr_core.runs.by_environment import environments_of
from agentr_core.runs.report import iterations
from agentr_core.runs.start_and_resume import resume, run
from agentr_core.store import EvalResult, open_store

SMALL = (
    *("--searcher", "mcts", "-o", "mcts.depth=12", "-o", "mcts.simulations=3", "-o", "mcts.samples=4"),
    *("--policy", "flawed", "-o", "flawed.rate=0.5", "--critic", "value", "--trainer", "none"),
    *("--tasks", "6", "--iterations", "2", "--eval-tasks", "6", "-o", "evaluate.max_turns=10"),
    *("-o", "textcraft.world=synthetic", "-o", "textcraft.depth=3", "-o", "webshop.products=60"),
)


def worlds() -> list[str]:
    """All three where there is Java, else the two that need none."""
    java = shutil.which("java") is not None
    return ["textcraft", "webshop", *(["sciworld"] if java else [])]


@pytest.mark.slow
def test_a_run_over_all_environments_killed_five_times_ends_like_one_that_was_not(
    agentr: Agentr, tmp_path: Path
) -> None:
    few = ("-o", "sciworld.only=lifespan-longest-lived", "-o", "sciworld.search.tasks=1")
    few = (*few, "-o", "sciworld.evaluate.tasks=1", "-o", "sciworld.workers=1", "--no-revision-test")
    few = few if "sciworld" in worlds() else ()
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


def test_environments_stand_in_the_order_of_the_run() -> None:
    metrics = {"success": 0.5, "a/success": 0.1, "b/success": 0.9, "away/success": 0.2}
    assert list(environments_of(metrics, ["b", "a"])) == ["b", "a", "away"]


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
from pathlib import Path
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft

class Broken(TextCraft):
    config_class = TextCraftConfig
    def step(self, action):
        raise ValueError("the world has ended")

class Away(TextCraft):
    config_class = TextCraftConfig
    def step(self, action):
        if Path("away").exists():
            raise ConnectionError("the server is away")
        return super().step(action)

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


def test_an_environment_that_is_away_is_named_the_others_go_on_and_the_run_is_resumed(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(written)
    (written / "away").touch()
    config, said = configure("textcraft,worlds_of_mine:Away"), io.StringIO()
    with pytest.raises(agentr_core.AgentrError, match=r"6 of 12 tasks are not played, all of 'worlds_of_mine:Away', f"):
        run(config, db=written / "agentr.db", stages=("evaluate",), progress=Progress(stream=said))
    assert said.getvalue().count("warning: task worlds_of_mine:Away/textcraft_") == 6
    (written / "away").unlink()
    resume("last", db=written / "agentr.db", progress=Progress(quiet=True))
    with open_store(written / "agentr.db", read_only=True) as store:
        account = store.runs.accounts(store.runs.find("last").id)[0, "evaluate"]
    assert (account["tried"], account["retried"]) == (12, 6), "tasks are counted, not attempts"


def test_an_environment_that_brings_nothing_to_train_on_is_named(written: Path) -> None:
    said = io.StringIO()
    learner = {"name": "learning:Learner", "model": str(write_model(written / "start", 0.5))}
    config = configure("textcraft,worlds_of_mine:Barren", policy=learner, trainer="learning:Halver")
    stages: tuple[Any, ...] = ("search", "revise", "train")
    run(config, db=written / "agentr.db", stages=stages, progress=Progress(stream=said))
    assert "warning: nothing of 'worlds_of_mine:Barren' is trained on" in said.getvalue()


def test_own_settings_of_a_stage_are_no_other_environment(inside: Agentr, together: Path, tmp_path: Path) -> None:
    shutil.copy(together, tmp_path / "agentr.db")
    done = inside("eval", "--run", "last", "-o", "webshop.evaluate.tasks=2", "-o", "webshop.evaluate.split=valid")
    assert done.returncode == 0, done.stderr
    measured = json.loads(inside("evals", "list", "last", "--json").stdout)[-1]
    assert measured["split"] == "test,valid" and measured["metrics"]["webshop/tasks"] == 2


def test_the_commands_know_the_environment_of_a_row(inside: Agentr, together: Path, tmp_path: Path) -> None:
    shutil.copy(together, tmp_path / "agentr.db")
    for command in (("trees", "list"), ("trajectories", "list"), ("revisions", "list"), ("evals", "show", "1")):
        told = inside(*command).stdout
        assert "textcraft/synthetic" in told and "webshop/generated" in told, command
    listed = json.loads(inside("trees", "list", "--json").stdout)
    assert {row["env"] for row in listed} == set(WORLDS)
    assert "textcraft,webshop" in inside("runs", "list", "--env", "webshop").stdout
    assert "mean of 2" in inside("compare", "last").stdout


def test_listings_of_one_environment_and_tasks_by_the_names_that_listings_have(
    together: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = ("--db", str(together))
    for command in (("trees", "list"), ("trajectories", "list"), ("revisions", "list"), ("evals", "show", "1")):
        assert main([*command, "--env", "webshop", *db]) == 0
        told = capsys.readouterr().out
        assert "webshop/generated" in told and "textcraft/" not in told, command
        assert main([*command, "--env", "webshp", *db]) == 2
        assert "has no environment 'webshp'; it has: textcraft, webshop" in capsys.readouterr().err
    with open_store(together, read_only=True) as store:
        tree = next(row for row in store.trees.select() if row.env == "webshop")
        result = next(row for row in store.evaluations.results(1) if row.env == "webshop")
    for command in (
        ("trees", "show", "last", f"webshop/{tree.task}"),
        ("trajectories", "list", "--tree", f"webshop/{tree.task}"),
        ("evals", "show", "1", f"webshop/{result.task}"),
    ):
        assert main([*command, *db]) == 0 and capsys.readouterr().out, command


def test_a_key_that_tasks_of_two_environments_have_is_not_guessed() -> None:
    rows = [EvalResult(task_id=number, env=env, task="17") for number, env in enumerate(("a", "b"))]
    assert named_task(rows, "b/17") == rows[1:] and named_task(rows[:1], "17") == rows[:1] and not named_task(rows, "1")
    with pytest.raises(agentr_core.UsageError, match="several environments have a task '17': write a/17 or b/17"):
        named_task(rows, "17")


def test_commands_about_one_environment_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (("tasks", "list", "--env", "textcraft,webshop"), ("envs", "check", "textcraft,webshop")):
        assert main(command) == 2 and "One is named at a time here." in capsys.readouterr().err
