"""A run goes on with the code, and in the world, that it was begun with; anything else is refused before it plays."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from scripted_runs import Agentr, dump

WORLD = """
import os, pathlib, signal
from agentr_core import PluginSpec, hookimpl
from agentr_core.testing.fakes import CounterEnvironment

@hookimpl
def agentr_register_environments():
    return [PluginSpec(kind="env", name="world", target="world:World", summary="counts")]

@hookimpl
def agentr_tree_finished(event):
    if not pathlib.Path("killed").exists():
        pathlib.Path("killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)

class World(CounterEnvironment):
    @property
    def version(self):
        return os.environ.get("WORLD", "v1")
"""
START = (
    *("run", "--env", "world", "--plugin", "world.py", "--policy", "random", "--critic", "last", "--trainer", "none"),
    *("--tasks", "6", "--eval-tasks", "2", "--iterations", "1", "-o", "evaluate.max_turns=4", "--concurrency", "1"),
)


@pytest.fixture
def killed(agentr: Agentr, tmp_path: Path) -> Path:
    """A project whose only run was killed after its first tree."""
    (tmp_path / "world.py").write_text(WORLD)
    assert agentr(*START).returncode == -9
    return tmp_path


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_another_version_of_the_environment_is_refused(agentr: Agentr, killed: Path, command: str) -> None:
    before = dump(killed / "agentr.db")
    refused = agentr(command, "last", WORLD="v2")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert "was played in version 'v1' of the environment 'world', and here it is 'v2'" in refused.stderr
    assert "install the stored version, or begin a new run" in refused.stderr
    assert dump(killed / "agentr.db") == before, "nothing was played"
    assert agentr("resume", "last").returncode == 0


@pytest.mark.parametrize("command", [("revise", "--critic", "last"), ("eval",)], ids=lambda command: command[0])
def test_single_stages_play_in_the_version_of_the_trees(agentr: Agentr, killed: Path, command: tuple[str, ...]) -> None:
    assert agentr("resume", "last").returncode == 0
    refused = agentr(*command, "--run", "last", "--plugin", "world.py", WORLD="v2")
    assert refused.returncode == 2 and "here it is 'v2'" in refused.stderr


@pytest.mark.parametrize("command", ["resume", "retry"])
def test_another_content_of_a_plugins_file_is_refused(agentr: Agentr, killed: Path, command: str) -> None:
    before = dump(killed / "agentr.db")
    (killed / "world.py").write_text(WORLD + "\n# mended\n")
    refused = agentr(command, "last")
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert "was begun with environment 'world' as it was in" in refused.stderr
    assert "put the file back as it was, or begin a new run" in refused.stderr
    assert dump(killed / "agentr.db") == before, "nothing was played, and what it was begun with is kept"
    (killed / "world.py").write_text(WORLD)
    assert agentr("resume", "last").returncode == 0


@pytest.mark.parametrize(
    ("stored", "code"), [("0.0.9", 2), ("0+unknown", 0), ("0.1.dev3+g0123abc", 0), ("?", 0), ("0.1.0", 0)]
)
def test_another_distribution_is_refused_unless_its_version_says_nothing(
    agentr: Agentr, killed: Path, stored: str, code: int
) -> None:
    with sqlite3.connect(killed / "agentr.db") as connection:
        changed = connection.execute("UPDATE run_plugins SET version = ? WHERE kind = 'searcher'", (stored,))
        assert changed.rowcount == 1
    ended = agentr("resume", "last")
    assert ended.returncode == code, ended.stderr
    if code:
        assert "searcher 'mcts' of agentr-core 0.0.9, and here it is of agentr-core 0.1.0: pip install" in ended.stderr
        assert "'agentr-core==0.0.9', or begin a new run" in ended.stderr


def test_a_project_that_was_moved_goes_on(agentr: Agentr, killed: Path) -> None:
    moved = killed / "moved"
    moved.mkdir()
    for path in list(killed.iterdir()):
        if path != moved:
            path.rename(moved / path.name)
    ended = agentr("resume", "last", cwd=moved)
    assert ended.returncode == 0, ended.stderr
