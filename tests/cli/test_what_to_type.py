"""What the program tells people to type, lists in its help, and says about what they typed wrongly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentr_core.cli import calling
from agentr_core.cli.main import main
from agentr_core.registry.lookup import use

EVALUATE = ["eval", "--env", "textcraft", "--policy", "expert", "--eval-tasks", "3", "-o", "textcraft.world=synthetic"]
Printed = Callable[[], "pytest.CaptureResult[str]"]


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    use(None)
    yield
    use(None)


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Printed:
    return capsys.readouterr


def test_an_evaluation_says_its_own_plan_and_what_comes_next(tmp_path: Path, printed: Printed) -> None:
    assert main([*EVALUATE, "--db", str(tmp_path / "a.db")]) == 0
    said = printed().err
    assert "plan: 3 tasks measured\n" in said and "iteration" not in said
    assert "evals list" in said and "--model PATH_OR_ID" in said and "trees show" not in said
    assert "Look at all of it:  agentr view " in said  # a command of a plugin, which says that it is for runs


def test_a_name_that_would_be_ignored_is_refused(tmp_path: Path, printed: Printed) -> None:
    db = ["--db", str(tmp_path / "a.db")]
    assert main([*EVALUATE, *db, "--name", "first"]) == 0
    assert main(["eval", "--run", "first", "--name", "second", *db]) == 2
    assert "--name: names a run" in printed().err


@pytest.mark.parametrize(
    ("command", "there", "elsewhere"),
    [
        ("eval", {"--eval-tasks", "--repeats", "--policy"}, {"--critic", "--trainer", "--tasks", "--eta"}),
        ("revise", {"--critic", "--splice", "--iteration"}, {"--env", "--trainer", "--recipe", "--eval-tasks"}),
        ("train", {"--trainer", "--recipe", "--out"}, {"--searcher", "--tasks", "--eval-split"}),
        ("search", {"--searcher", "--tasks"}, {"--eta", "--recipe", "--eval-split", "--out"}),
    ],
)
def test_a_single_stage_lists_the_flags_that_mean_something_there(
    printed: Printed, command: str, there: set[str], elsewhere: set[str]
) -> None:
    assert main([command, "--help"]) == 0
    flags = {word for line in printed().out.splitlines() for word in line.split()[:1]}
    assert there <= flags and not elsewhere & flags


def test_commands_are_shown_as_the_program_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / ".venv" / "bin" / "agentr"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "run"])
    monkeypatch.setenv("PATH", "/nowhere")
    assert calling.typed("agentr trees show X") == ".venv/bin/agentr trees show X"
    assert calling.hint("go on with: agentr resume X") == "(agentr is .venv/bin/agentr here)"
    assert calling.hint("no such file") == ""
    monkeypatch.setenv("PATH", str(script.parent))
    assert calling.typed("agentr trees show X") == "agentr trees show X" and calling.hint("agentr resume X") == ""


def test_an_error_says_how_agentr_is_called_where_no_shell_finds_it(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": "/nowhere"}
    command = [sys.executable, "-m", "agentr_core", "trees", "list", "--db", str(tmp_path / "none.db")]
    missing = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert missing.returncode == 1 and "(agentr is" not in missing.stderr, "that message names no command"
    main([*EVALUATE, "--db", str(tmp_path / "a.db")])
    command = [sys.executable, "-m", "agentr_core", "checkpoints", "list", "--db", str(tmp_path / "a.db")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    told = done.stderr
    assert told.splitlines()[-1] == f"(agentr is {sys.executable} -m agentr_core here)"


def test_the_help_of_a_group_is_not_cut(printed: Printed) -> None:
    assert main(["revisions", "--help"]) == 0
    words = " ".join(printed().out.split())
    assert "where bad and good part (t), the cut (t'), rewards, and whether the splice held." in words


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("AGENTR_SEED", "x", "error: invalid value for AGENTR_SEED: 'x' is not a valid integer."),
        ("AGENTR_SAERCHER", "mcts", "warning: AGENTR_SAERCHER is not read; did you mean AGENTR_SEARCHER?"),
        ("AGENTR_DISABLE_PLUGINS", "nix", "warning: AGENTR_DISABLE_PLUGINS: no plugin is called 'nix'. There are: "),
    ],
)
def test_a_wrong_variable_is_called_by_its_name(
    monkeypatch: pytest.MonkeyPatch, printed: Printed, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    main(["config", "show"])
    assert said in printed().err


def test_a_plugin_file_that_adds_nothing_is_told(tmp_path: Path, printed: Printed) -> None:
    idle, useful = tmp_path / "idle_file.py", tmp_path / "useful_file.py"
    idle.write_text("def agentr_register_env(): return []\n")
    useful.write_text("class Mine: pass\n")
    assert main(["--plugin", str(idle), "plugins", "list"]) == 0
    assert "has neither a hook of agentr (@hookimpl) nor a class: it adds nothing" in printed().err
    assert main(["--plugin", str(useful), "plugins", "list"]) == 0
    assert "adds nothing" not in printed().err


def test_an_unknown_setting_names_the_options_of_that_name(printed: Printed) -> None:
    assert main(["config", "show", "-o", "samples=4"]) == 2
    said = printed().err
    assert "Did you mean beam.samples or mcts.samples?" in said and "None" not in said


def test_what_is_a_schema_or_a_path_may_be_asked_for_as_json(tmp_path: Path, printed: Printed) -> None:
    assert main(["db", "path", "--json", "--db", str(tmp_path / "x.db")]) == 0
    assert json.loads(printed().out) == {"path": str(tmp_path / "x.db"), "exists": False}
    assert main(["config", "schema", "--json"]) == 0
    assert "properties" in json.loads(printed().out)


def test_a_stored_task_needs_no_environment(tmp_path: Path, printed: Printed) -> None:
    db = ["--db", str(tmp_path / "a.db")]
    assert main([*EVALUATE, *db]) == 0
    assert printed().out
    assert main(["tasks", "list", "--json", *db]) == 0
    key = json.loads(printed().out)[0]["key"]
    assert main(["tasks", "show", key, "-o", "textcraft.world=synthetic", *db]) == 0
    assert key in printed().out
    assert main(["tasks", "show", "no-such", *db]) == 2
    assert "no run has met 'no-such'; say which one: --env NAME" in printed().err


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_shells_completion_is_there(tmp_path: Path) -> None:
    environment = {**os.environ, "_AGENTR_COMPLETE": "bash_source"}
    script = "from agentr_core.cli.main import cli; cli(prog_name='agentr')"
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert "complete -o nosort -F _agentr_completion agentr" in done.stdout
