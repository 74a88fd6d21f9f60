"""A real package of somebody else: built, installed into an environment of its own, and used."""

from __future__ import annotations

import json
import os
import site
import sqlite3
import subprocess
import sys
import venv
from contextlib import closing
from pathlib import Path

import pytest

HANGMAN = Path(__file__).resolve().parents[1] / "thirdparty" / "agentr-hangman"


class Installation:
    """A virtual environment that sees what this one has, plus the package."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True, symlinks=True)
        self.python = folder / "bin" / "python"
        packages = next(folder.glob("lib/python*/site-packages"))
        # addsitedir, so that the editable install of agentr itself (a .pth file) is followed too.
        here = [path for path in (*site.getsitepackages(), *sys.path) if path and Path(path).is_dir()]
        lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(here)]
        (packages / "all-of-this.pth").write_text("\n".join(lines))

    def run(self, *arguments: str, cwd: Path | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("AGENTR_")}
        result = subprocess.run([self.python, *arguments], capture_output=True, text=True, cwd=cwd, env=clean)
        assert result.returncode == 0 or not check, result.stdout + result.stderr
        return result


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("third-party")
    made = Installation(folder / "venv")
    wheels = folder / "wheels"
    made.run("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(wheels), str(HANGMAN))
    [wheel] = wheels.glob("*.whl")
    made.run("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel))
    return made


def test_its_plugins_are_listed_with_their_distribution(installation: Installation, tmp_path: Path) -> None:
    rows = json.loads(installation.run("-m", "agentr_core", "plugins", "list", "--json", cwd=tmp_path).stdout)
    [hangman] = [row for row in rows if row["name"] == "hangman"]
    assert (hangman["distribution"], hangman["version"], hangman["failure"]) == ("agentr-hangman", "1.2.0", None)
    assert {(spec["kind"], spec["name"]) for spec in hangman["specs"]} == {("env", "hangman"), ("critic", "missed")}


def test_its_options_are_shown_and_checked(installation: Installation, tmp_path: Path) -> None:
    shown = installation.run("-m", "agentr_core", "plugins", "show", "hangman", cwd=tmp_path).stdout
    assert "-o hangman.lives" in shown and "wrong guesses that end the game" in shown
    arguments = ["config", "show", "--env", "hangman", "-o", "hangman.lives=0"]
    wrong = installation.run("-m", "agentr_core", *arguments, cwd=tmp_path, check=False)
    assert (wrong.returncode, wrong.stderr.splitlines()[-1]) == (
        2,
        "error: -o hangman.lives: must be at least 1 (got 0)",
    )


def test_its_own_tests_pass(installation: Installation) -> None:
    own = ("-q", "-p", "no:cacheprovider", "--rootdir", str(HANGMAN), str(HANGMAN / "tests"))
    told = installation.run("-m", "pytest", *own).stdout.splitlines()[-1]
    assert "passed" in told and "skipped" not in told


@pytest.mark.parametrize("name", ["hangman", "missed"])
def test_it_keeps_the_contract(installation: Installation, tmp_path: Path, name: str) -> None:
    checked = installation.run("-m", "agentr_core", "plugins", "check", name, cwd=tmp_path)
    assert "FAILED" not in checked.stdout and checked.stdout.count("ok") >= 1


def test_it_runs_from_one_command(installation: Installation, tmp_path: Path) -> None:
    plugins = [
        "--env",
        "hangman",
        "--searcher",
        "mcts",
        "--policy",
        "flawed",
        "--critic",
        "missed",
        "--trainer",
        "none",
    ]
    sizes = [
        "--iterations",
        "1",
        "--tasks",
        "3",
        "--eval-tasks",
        "3",
        "-o",
        "flawed.rate=0.6",
        "-o",
        "mcts.simulations=3",
    ]
    done = installation.run("-m", "agentr_core", "run", *plugins, *sizes, "--json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert (report["status"], report["failed"]) == ("done", 0)
    trees = json.loads(installation.run("-m", "agentr_core", "trees", "list", "--json", cwd=tmp_path).stdout)
    assert len(trees) == 3
    revisions = json.loads(installation.run("-m", "agentr_core", "revisions", "list", "--json", cwd=tmp_path).stdout)
    assert revisions
    with closing(sqlite3.connect(tmp_path / "agentr.db")) as database:
        provenance = database.execute("SELECT kind, name, distribution, version FROM run_plugins").fetchall()
    assert ("env", "hangman", "agentr-hangman", "1.2.0") in provenance
    assert ("critic", "missed", "agentr-hangman", "1.2.0") in provenance
