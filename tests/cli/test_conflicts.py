"""What contradicts itself is refused in one sentence: of two values, one would be left out without a word."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from project_stages import searched as searched

from agentr_core.cli.main import main
from agentr_core.registry.lookup import use

RUN = ("run", "--dry-run", "--policy", "flawed", "--trainer", "none", "--critic", "last")


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    use(None)
    yield
    use(None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((*RUN, "--env", "textcraft", "--env", "webshop"), "--env is given 2 times; give it once, several as a,b"),
        ((*RUN, "--tasks", "3", "--tasks", "3"), "--tasks is given 2 times"),
        ((*RUN, "--revision-test", "--no-revision-test"), "--revision-test is given 2 times"),
        ((*RUN, "-o", "mcts.samples=2", "-o", "mcts.samples=3"), "-o mcts.samples: is set by -o mcts.samples already"),
        ((*RUN, "-o", "mcts.samples=2", "-o", "searcher.samples=3"), "-o mcts.samples: is set by -o searcher.samples"),
        ((*RUN, "--tasks", "3", "-o", "search.tasks=4"), "-o search.tasks: is set by --tasks already; give one"),
        ((*RUN, "--env", "textcraft", "-o", "env.name=webshop"), "-o env.name: is set by --env already"),
        (("config", "show", "--model", "a", "-o", "transformers.model=b"), "is set by"),
        (("runs", "list", "--db", "a.db", "--db", "b.db"), "--db is given 2 times"),
        (("trees", "list", "--iteration", "1", "--iteration", "2"), "--iteration is given 2 times"),
        (("bench", "--sequential", "0", "--sequential", "1"), "--sequential is given 2 times"),
        (("run", "--policy", "flawed", "--trainer", "none", "--resume", "x", "--name", "y"), "--name: the run that"),
        (("run", "--policy", "flawed", "--trainer", "none", "--resume", "x", "--out", "y"), "--out: the run that"),
    ],
    ids=lambda value: " ".join(value[-4:]) if isinstance(value, tuple) else "",
)
def test_two_values_of_one_setting_are_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert said in printed.err and "Traceback" not in printed.err and printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--checkpoint", "last", "--model", "tiny"), "--checkpoint last and --model name two models"),
        (("--checkpoint", "1", "-o", "transformers.model=tiny"), "and -o transformers.model name two models"),
        (("--run", "last", "--name", "mine"), "--name: names a run, and this measures a model of one"),
    ],
)
def test_two_models_or_runs_are_refused(
    capsys: pytest.CaptureFixture[str], searched: Path, arguments: tuple[str, ...], said: str
) -> None:
    policy = ("--policy", "transformers")
    assert main(("eval", *arguments, *policy, "--db", shutil.copy(searched, "agentr.db"))) == 2
    assert said in capsys.readouterr().err


def test_what_says_the_same_twice_or_may_be_repeated_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert main((*RUN, "--json", "--json", "-o", "mcts.samples=2", "-o", "mcts.depth=3")) == 0


def test_a_measured_split_that_was_trained_on_is_said(capsys: pytest.CaptureFixture[str], searched: Path) -> None:
    few = ("--eval-split", "train", "--eval-tasks", "1", "-o", "evaluate.max_turns=1", "--no-revision-test")
    shutil.copy(searched, "agentr.db")
    assert main(("eval", "--run", "last", *few)) == 0
    assert "warning: evaluate.split: 'train' is the split that is trained on" in capsys.readouterr().err
