"""A run that is killed and resumed ends with the rows of the run that was not."""

from __future__ import annotations

import json
import random
import signal
import sqlite3
from pathlib import Path

import pytest
from killing import KILLER, has_run, sqlite_is_sound
from scripted_runs import SCRIPTED, Agentr, dump

from agentr_core.process.file_lock import held
from agentr_core.store import open_store

KILLS = 20
LONG = (
    *SCRIPTED,
    "--tasks",
    "100",
    "--iterations",
    "4",
    "-o",
    "mcts.simulations=6",
    "-o",
    "mcts.samples=4",
    "--eval-tasks",
    "60",
)


@pytest.mark.slow
def test_a_run_killed_twenty_times_ends_like_one_that_was_not(agentr: Agentr, tmp_path: Path) -> None:
    """The moments are drawn in seconds of the process's own work, so a busy machine changes nothing.

    Three lie anywhere after the start of the program, the others after the run has begun: however long a program takes
    to start, it gets on.
    """
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    killer = tmp_path / "killer.py"
    killer.write_text(KILLER)
    start = ("run", *LONG, "--plugin", str(killer))
    assert agentr(*start, cwd=whole).returncode == 0
    rng, kills = random.Random(20), 0
    while kills < KILLS:
        arguments = ("resume", "last") if has_run(killed / "agentr.db") else start
        since = "start" if kills < 3 else "run"
        ended = agentr(*arguments, cwd=killed, KILL_AFTER=str(rng.uniform(0.02, 0.3)), KILL_FROM=since)
        if ended.returncode == 0:
            break
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        kills += 1
        assert sqlite_is_sound(killed / "agentr.db")
    assert kills >= 8, "the run ended before it could be killed: make it longer"
    assert agentr("resume", "last", cwd=killed).returncode == 0
    assert dump(killed / "agentr.db") == dump(whole / "agentr.db")


def test_stores_do_not_depend_on_the_hash_seed_or_on_concurrency(agentr: Agentr, tmp_path: Path) -> None:
    dumps = []
    for hash_seed, concurrency in (("0", "1"), ("1", "64")):
        folder = tmp_path / hash_seed
        folder.mkdir()
        done = agentr("run", *SCRIPTED, "--concurrency", concurrency, cwd=folder, PYTHONHASHSEED=hash_seed)
        assert done.returncode == 0, done.stderr
        dumps.append([line for line in dump(folder / "agentr.db") if not line.startswith('["runs"')])
    assert dumps[0] == dumps[1]


def test_another_seed_gives_another_store(inside: Agentr, tmp_path: Path) -> None:
    inside("run", *SCRIPTED, "--seed", "1", "--db", "one.db")
    inside("run", *SCRIPTED, "--seed", "2", "--db", "two.db")
    assert dump(tmp_path / "one.db") != dump(tmp_path / "two.db")


def test_resume_refuses_another_configuration_and_shows_it(inside: Agentr) -> None:
    assert inside("search", *SCRIPTED, "--name", "base").returncode == 0
    refused = inside("run", *SCRIPTED, "-o", "mcts.depth=13", "--resume", "base")
    assert refused.returncode == 2
    assert "started with another configuration" in refused.stderr
    assert "searcher.options.depth" in refused.stderr and "stored 12" in refused.stderr and "now 13" in refused.stderr
    assert "agentr resume" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_resuming_a_finished_run_changes_nothing(inside: Agentr, tmp_path: Path) -> None:
    assert inside("run", *SCRIPTED).returncode == 0
    before = dump(tmp_path / "agentr.db")
    again = inside("resume", "last", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["status"] == "done"
    assert dump(tmp_path / "agentr.db") == before


def test_a_run_that_is_being_worked_on_is_not_resumed(agentr: Agentr, tmp_path: Path) -> None:
    assert agentr("search", *SCRIPTED, "--iterations", "1").returncode == 0
    with open_store(tmp_path / "agentr.db") as store:
        run = store.runs.find("last")
        store.runs.set_status(run.id, "running")
        with held(store.runs.lock_file(run)):
            refused = [agentr(*command) for command in (("resume", "last"), ("revise", "--run", "last"))]
        assert [each.returncode for each in refused] == [2, 2]
        assert all(f"run {run.short} is still being worked on" in each.stderr for each in refused)
    assert agentr("resume", "last").returncode == 0, "its number is that of a process which is there, but not on it"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_drains_and_marks_the_run(agentr: Agentr, tmp_path: Path, number: signal.Signals) -> None:
    """The plugin sends the signal once the third tree is finished, so no clock is involved."""
    plugin = tmp_path / "stopper.py"
    plugin.write_text(
        "import os, pathlib, signal\n"
        "from agentr_core import hookimpl\n"
        "seen = []\n"
        "@hookimpl\n"
        "def agentr_tree_finished(event):\n"
        "    seen.append(event.tree)\n"
        "    marker = pathlib.Path(__file__).with_name('stopped')\n"
        "    if len(seen) == 3 and not marker.exists():\n"
        "        marker.touch()\n"
        f"        os.kill(os.getpid(), {int(number)})\n"
    )
    stopped = agentr("run", *SCRIPTED, "--concurrency", "2", "--plugin", str(plugin))
    assert stopped.returncode == 130, stopped.stderr
    assert "agentr resume" in stopped.stderr and "Traceback" not in stopped.stderr
    with open_runs(tmp_path / "agentr.db") as connection:
        assert connection.execute("SELECT status FROM runs").fetchone()[0] == "interrupted"
        assert 3 <= connection.execute("SELECT count(*) FROM trees WHERE status = 'done'").fetchone()[0] < 12
    whole = tmp_path / "whole"
    whole.mkdir()
    assert agentr("run", *SCRIPTED, cwd=whole).returncode == 0
    assert agentr("resume", "last").returncode == 0
    ours = [line for line in dump(tmp_path / "agentr.db") if not line.startswith('["runs"')]
    assert ours == [line for line in dump(whole / "agentr.db") if not line.startswith('["runs"')]


def test_the_second_signal_ends_at_once(agentr: Agentr, tmp_path: Path) -> None:
    plugin = tmp_path / "stopper.py"
    plugin.write_text(
        "import os, signal\n"
        "from agentr_core import hookimpl\n"
        "@hookimpl\n"
        "def agentr_tree_finished(event):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('still here')\n"
    )
    stopped = agentr("run", *SCRIPTED, "--plugin", str(plugin))
    assert stopped.returncode == 130
    assert "still here" not in stopped.stdout
    assert json.loads(agentr("runs", "list", "--json").stdout)[0]["alive"] is False
    assert "killed" in agentr("runs", "list").stdout


def open_runs(db: Path) -> sqlite3.Connection:
    return sqlite3.connect(db)
