"""What goes wrong in a run, what the user is told, and what is kept."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from scripted_runs import SCRIPTED, Agentr

SMALL = (*SCRIPTED, "--iterations", "1")

#: An environment whose third task always breaks in the middle of an episode.
BREAKING = """
from agentr_core import PluginSpec, hookimpl
from agentr_core.testing.fakes import CounterEnvironment

@hookimpl
def agentr_register_environments():
    return [PluginSpec(kind="env", name="breaking", target=f"{__name__}:Breaking", summary="breaks")]

class Breaking(CounterEnvironment):
    def step(self, action):
        if self._target == self.tasks("train")[2].metadata["target"]:
            raise ValueError("the world fell apart")
        return super().step(action)
"""

#: A policy that answers with whatever is asked for by the environment variable ODD.
ODD = """
import os
from agentr_core import Completion, PluginSpec, Policy, hookimpl

ANSWERS = {
    "nothing": "",
    "long": "x " * 10_000,
    "two": "Action: get 1 a\\nAction: get 1 b",
    "control": "Action: get\\x00 1\\x07 a\\u2028\\x1b[31m",
    "surrogate": "Action: get \\ud800",
}

@hookimpl
def agentr_register_policies():
    return [PluginSpec(kind="policy", name="odd", target=f"{__name__}:Odd", summary="answers oddly")]

class Odd(Policy):
    async def sample(self, request):
        return [Completion(text=ANSWERS[os.environ["ODD"]]) for _ in range(request.n)]
"""


@pytest.fixture
def agentr(inside: Agentr) -> Agentr:
    """In this process: what is said and what is kept is the same."""
    return inside


@pytest.mark.parametrize("odd", ["nothing", "long", "two", "control", "surrogate"])
def test_a_policy_may_answer_anything(agentr: Agentr, tmp_path: Path, odd: str) -> None:
    (tmp_path / "odd.py").write_text(ODD)
    options = ("--policy", "odd", "--plugin", "odd.py", "--critic", "last", "--trainer", "none")
    world = ("-o", "textcraft.world=synthetic", "-o", "mcts.depth=3", "-o", "evaluate.max_turns=3")
    done = agentr("run", *options, *world, "--tasks", "2", "--eval-tasks", "2", "--iterations", "1", ODD=odd)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "agentr.db") as connection:
        states = {row[0] for row in connection.execute("SELECT status FROM trees")}
        results = connection.execute("SELECT count(*), sum(invalid > 0) FROM eval_results").fetchone()
    assert states == {"done"}
    assert results[0] >= 2 and results[1] == results[0], "every odd answer counts as invalid"


def test_an_environment_that_raises_fails_its_task_alone(agentr: Agentr, tmp_path: Path) -> None:
    (tmp_path / "breaking.py").write_text(BREAKING)
    options = ("--env", "breaking", "--plugin", "breaking.py", "--policy", "random", "--critic", "last")
    sizes = ("--trainer", "none", "--tasks", "6", "-o", "breaking.tasks=6", "--eval-tasks", "6", "--iterations", "1")
    done = agentr("run", *options, *sizes, "-o", "evaluate.max_turns=5", "--eval-split", "train")
    assert done.returncode == 3, done.stderr
    assert "the world fell apart" in done.stderr and "Traceback" not in done.stderr
    with sqlite3.connect(tmp_path / "agentr.db") as connection:
        rows = dict(connection.execute("SELECT status, count(*) FROM trees GROUP BY status").fetchall())
        assert connection.execute("SELECT status FROM runs").fetchone()[0] == "done"
    assert rows == {"failed": 1, "done": 5}


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--critic", "actr"), 2, "no critic is called 'actr'. Did you mean 'actor'?"),
        (("-o", "mcts.samples=0"), 2, "-o mcts.samples: must be at least 1 (got 0)"),
        (("-o", "mcts.sample=2"), 2, "-o mcts.sample: there is no such setting; did you mean 'samples'?"),
        (("--split", "nowhere"), 2, "nowhere"),
        (("--config", "missing.toml"), 2, "there is no file 'missing.toml'"),
        (("--trainer", "sft"), 2, "has no weights to train"),
    ],
)
def test_wrong_input_is_one_sentence(agentr: Agentr, arguments: tuple[str, ...], code: int, said: str) -> None:
    done = agentr("run", *SMALL, *arguments, HF_HUB_OFFLINE="1")
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (code, True, False), done.stderr


@pytest.mark.model
def test_a_model_that_is_none_is_one_sentence(agentr: Agentr) -> None:
    refused = agentr("run", "--model", "./no/such/folder", "-o", "textcraft.world=synthetic", HF_HUB_OFFLINE="1")
    assert refused.returncode == 2
    assert "there is no model folder './no/such/folder'" in refused.stderr and "Traceback" not in refused.stderr


def test_an_unknown_plugin_names_the_nearest(agentr: Agentr) -> None:
    refused = agentr("run", "--env", "textcraft", "--searcher", "mtcs")
    assert refused.returncode == 2
    assert "no searcher is called 'mtcs'. Did you mean 'mcts'?" in refused.stderr
    refused = agentr("run", "--env", "textcarft", "--searcher", "mcts")
    assert refused.returncode == 2
    assert "no environment is called 'textcarft'. Did you mean 'textcraft'?" in refused.stderr


def test_a_recipe_that_finds_nothing_says_what_to_do(agentr: Agentr) -> None:
    assert agentr("search", *SMALL, "-o", "flawed.rate=1.0").returncode == 0
    assert agentr("revise", "--critic", "last").returncode == 0
    refused = agentr("revise", "--critic", "nobody")
    assert refused.returncode == 2 and "no critic is called 'nobody'" in refused.stderr


def test_stages_by_themselves_over_one_store(agentr: Agentr) -> None:
    assert agentr("search", *SMALL, "--name", "base").returncode == 0
    for critic in ("actor", "last", "value", "oracle", "random"):
        assert agentr("revise", "--run", "base", "--critic", critic).returncode == 0
    table = json.loads(agentr("compare", "--critics", "base", "--json").stdout)
    rows = {row["critic"]: row for row in table}
    assert set(rows) == {"actor", "last", "value", "oracle", "random"}
    assert len({row["pairs"] for row in rows.values()}) == 1, "all critics judge the same pairs"
    assert rows["oracle"]["oracle"] == 1.0
    assert rows["last"]["judged"] == 0 and rows["last"]["cut_mean"] > rows["oracle"]["cut_mean"]
    measured = agentr("eval", "--run", "base", "--json")
    assert measured.returncode == 0 and json.loads(measured.stdout)[0]["tasks"] == 12
