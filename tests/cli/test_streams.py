"""Terminals, pipes and disks as people have them: the program prints what can be printed, and says what cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentr_core import configure
from agentr_core.runs.start_and_resume import run


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("streams") / "agentr.db"
    config = configure(
        policy="flawed", critic="oracle", trainer="none", iterations=1, textcraft={"world": "synthetic"},
        mcts={"simulations": 4, "samples": 4, "depth": 8}, search={"tasks": 1}, evaluate={"tasks": 1, "max_turns": 4},
    )  # fmt: skip
    run(config, db=path)
    return path


def agentr(db: Path, *arguments: str, stdout: int = subprocess.PIPE, **variables: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "agentr_core", *arguments]
    environment = {**os.environ, "AGENTR_DB": str(db), **variables}
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, env=environment, check=False)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "gbk"])
def test_an_encoding_without_our_letters_gets_question_marks(db: Path, encoding: str) -> None:
    done = agentr(db, "trees", "show", "last", PYTHONIOENCODING=encoding)
    said = done.stdout.decode(encoding)
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    assert "N=" in said and "?" in said


@pytest.mark.parametrize("command", [("trees", "export"), ("trees", "list", "--json")])
def test_json_loses_nothing_in_such_an_encoding(db: Path, tmp_path: Path, command: tuple[str, ...]) -> None:
    task = {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "utf-8"}
    small, whole = (agentr(db, *command, **variables).stdout for variables in task)
    if command[-1] == "--json":
        assert json.loads(small) == json.loads(whole)
    else:
        assert [json.loads(line) for line in small.splitlines()] == [json.loads(line) for line in whole.splitlines()]


def test_json_of_letters_beyond_the_encoding_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    code = "from agentr_core.cli.output import print_json; print_json({'a': 'é→\U0001f600'})"
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert json.loads(done.stdout.decode("latin-1")) == {"a": "é→\U0001f600"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [("trees", "show", "last"), ("trees", "list", "--json"), ("runs", "list")])
def test_a_full_disk_behind_stdout_is_one_sentence(db: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = agentr(db, *arguments, stdout=full.fileno())
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 1
    assert [line for line in lines if line.startswith("error: ") and "No space left" in line] == lines[-1:]
    assert not any("Traceback" in line or "Exception ignored" in line for line in lines)


@pytest.mark.parametrize("arguments", [("trees", "show", "last"), ("trees", "export")])
def test_a_reader_that_has_gone_away_is_no_error_to_talk_of(db: Path, arguments: tuple[str, ...]) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = agentr(db, *arguments, stdout=theirs)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.skipif(os.name != "posix", reason="pseudo terminals are of POSIX")
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)])
def test_no_color_is_heard_on_a_terminal(db: Path, variables: dict[str, str], coloured: bool) -> None:
    import pty

    ours, theirs = pty.openpty()
    done = agentr(db, "trees", "show", "last", stdout=theirs, **variables)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how Linux says that nobody holds the other end
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert done.returncode == 0 and b"N=" in said
    assert (b"\x1b[3" in said) is coloured


PLUGIN = """
from agentr_core import Environment, PluginConfig, StepResult, Task

class Config(PluginConfig):
    pass

class Mute(Environment[Config]):
    config_class = Config
    def splits(self): return ("train", "test")
    def tasks(self, split): raise KeyError("no such file")
    def instructions(self, task): return "Do it."
    def reset(self, task): return "Go."
    def step(self, action): return StepResult(observation="Done.", reward=1.0, terminated=True)
    def state_key(self): return "one"
    def legal_actions(self): return ("go",)

class Shut(Mute):
    def tasks(self, split): return [Task(key=f"{split}-{n}", split=split, instruction="go") for n in range(3)]
    def close(self): raise RuntimeError("the lid is stuck")
"""


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """Variables with which ``stuck:Mute`` and ``stuck:Shut`` are environments."""
    (tmp_path / "stuck.py").write_text(PLUGIN)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tasks", "list", "--env", "stuck:Mute"), "error: 'Mute' could not list the tasks of 'train': KeyError"),
        (("tasks", "show", "k", "--env", "stuck:Mute"), "error: 'stuck:Mute' could not show the task 'k': KeyError"),
        (
            ("run", "--env", "stuck:Mute", "--policy", "random", "--trainer", "none", "--critic", "last"),
            "error: 'Mute' could not list the tasks of 'train': KeyError: 'no such file'",
        ),
    ],
)
def test_an_environment_that_cannot_list_its_tasks_is_named(
    tmp_path: Path, plugin: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    done = agentr(tmp_path / "agentr.db", *arguments, **plugin)
    assert done.returncode == 1 and b"Traceback" not in done.stderr
    assert done.stderr.decode().splitlines()[-1].startswith(said)


def test_what_cannot_be_closed_is_a_warning_and_hides_nothing(tmp_path: Path, plugin: dict[str, str]) -> None:
    settings = ("--iterations", "1", "--tasks", "2", "--eval-tasks", "2", "--no-revision-test")
    chosen = ("--env", "stuck:Shut", "--policy", "random", "--trainer", "none", "--critic", "last")
    done = agentr(tmp_path / "agentr.db", "run", *chosen, *settings, **plugin)
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert "warning: 'Shut' could not be closed: RuntimeError: the lid is stuck" in said and "Traceback" not in said
