"""Worker processes: the rows of one process, whoever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import SCRIPTED, command, dump, environment

from agentr_core import RunConfig, UsageError, configure
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import Registry
from agentr_core.runs import elsewhere
from agentr_core.runs.start_and_resume import run
from agentr_core.store import open_store
from agentr_core.testing import Check, checks

SUPPORT = Path(__file__).parents[2] / "support"
#: As short as a run can be in which trees are grown, revised, and measured twice.
SMALL = (*SCRIPTED, "--tasks", "8", "--iterations", "1", "--eval-tasks", "4", "-o", "revise.max_pairs_per_tree=3")
DYING = ("--plugin", str(SUPPORT / "dying.py"), "--policy", "dying:Dying", "-o", "policy.rate=0.5")
Agentr = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def agentr(tmp_path: Path) -> Agentr:
    def call(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        told = command(*arguments)
        return subprocess.run(told, cwd=tmp_path, env=environment(**extra), capture_output=True, text=True, timeout=240)

    return call


def small(*more: str) -> tuple[str, ...]:
    """The run with the policy that may die; as a plain flawed one where nobody tells it to."""
    words = [word for word in SMALL if not word.startswith("flawed.")]
    words = [word for word, after in zip(words, [*words[1:], ""], strict=True) if (word, after) != ("-o", "--trainer")]
    return ("run", *words, *DYING, *more)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the run leaves that has no workers."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run(command(*small()), cwd=folder, env=environment(), check=True, capture_output=True, timeout=240)
    return dump(folder / "agentr.db")


@pytest.mark.parametrize("check", checks("executor", "processes", {"workers": 2}), ids=str)
def test_the_contract(check: Check) -> None:
    check()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_leave_the_rows_of_one_process(agentr: Agentr, alone: list[str], tmp_path: Path, workers: int) -> None:
    done = agentr(*small("--executor", "processes", "-o", f"processes.workers={workers}"))
    assert done.returncode == 0, done.stderr
    assert dump(tmp_path / "agentr.db") == alone


def lives(folder: Path, count: int) -> str:
    """A folder that lets so many workers end."""
    folder.mkdir()
    for number in range(count):
        (folder / str(number)).touch()
    return str(folder)


def test_what_killed_workers_had_in_hand_is_done_by_others(agentr: Agentr, alone: list[str], tmp_path: Path) -> None:
    two = ("--executor", "processes", "-o", "processes.workers=2")
    done = agentr(*small(*two), DIE_FOLDER=lives(tmp_path / "lives", 2))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("was ended by SIGKILL") == 2 and "go to others" in done.stderr
    assert not list((tmp_path / "lives").iterdir())
    assert dump(tmp_path / "agentr.db") == alone


def test_a_task_over_which_three_workers_die_fails_alone(agentr: Agentr, tmp_path: Path) -> None:
    with_task = ("--executor", "processes", "-o", "processes.workers=2", "--concurrency", "2", "--name", "one")
    assert agentr("search", *small()[1:], "--name", "first").returncode == 0
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        key = store.trees.select()[3].task
    done = agentr("search", *small(*with_task)[1:], DIE_FOLDER=lives(tmp_path / "lives", 9), DIE_ON=key)
    assert done.returncode == 3, done.stderr
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        rows = store.trees.select(store.runs.find("one").id)
    failed = [row for row in rows if row.status != "done"]
    assert [row.task for row in failed] == [key]
    assert "3 workers died over it; the last: process" in str(failed[0].error)


def test_a_killed_run_is_gone_on_with_in_one_process(agentr: Agentr, alone: list[str], tmp_path: Path) -> None:
    two = ("--executor", "processes", "-o", "processes.workers=2")
    killed = agentr(*small(*two), SIGNAL_AFTER=f"3:{int(signal.SIGKILL)}")
    assert killed.returncode == -signal.SIGKILL
    resumed = agentr("resume", "last", "--executor", "local")
    assert resumed.returncode == 0, resumed.stderr
    assert dump(tmp_path / "agentr.db") == alone


def test_the_first_interrupt_drains_and_the_run_goes_on_with_its_workers(
    agentr: Agentr, alone: list[str], tmp_path: Path
) -> None:
    two = ("--executor", "processes", "-o", "processes.workers=2")
    stopped = agentr(*small(*two), SIGNAL_AFTER=f"3:{int(signal.SIGINT)}")
    assert stopped.returncode == 130 and "Traceback" not in stopped.stderr, stopped.stderr
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        assert store.runs.find("last").status == "interrupted"
        assert 3 <= len(store.trees.select(status="done")) <= 8
    resumed = agentr("resume", "last")
    assert resumed.returncode == 0, resumed.stderr
    assert dump(tmp_path / "agentr.db") == alone


def config(**changes: Any) -> RunConfig:
    settings: dict[str, Any] = {
        "env": {"name": "textcraft", "world": "synthetic", "depth": 2}, "policy": "flawed", "trainer": "none",
        "executor": "processes", "processes": {"workers": 1}, "iterations": 1, "search": {"tasks": 2},
    }  # fmt: skip
    return configure(**{**settings, **changes})


def test_a_worker_with_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elsewhere, "versions", lambda *_: {"agentr": "9.9", "critic actor": "0"})
    with pytest.raises(UsageError, match=r"a worker on .* has agentr .* and the run 9\.9.*install the same"):
        run(config(), db=tmp_path / "agentr.db", stages=("search",), progress=Progress(quiet=True))


def test_what_the_user_must_mend_in_a_worker_is_said_as_it_is_here(tmp_path: Path) -> None:
    broken = tmp_path / "broken_policy.py"
    broken.write_text(
        "import os\n"
        "from agentr_core import Policy, PluginConfig, UsageError\n"
        "class Broken(Policy[PluginConfig]):\n"
        "    async def ready(self):\n"
        "        raise UsageError('there is no such model; name another one')\n"
        "    async def sample(self, request):\n"
        "        return []\n"
    )
    registry = Registry(files=[str(broken)])
    with pytest.raises(UsageError, match="there is no such model; name another one"):
        run(
            config(policy="broken_policy:Broken").model_copy(update={"plugins": (str(broken),)}),
            db=tmp_path / "agentr.db",
            stages=("search",),
            registry=registry,
        )


def test_a_plugin_of_this_process_cannot_travel(tmp_path: Path) -> None:
    registry = Registry()
    registry.register(elsewhere_plugin(), "mine")
    with pytest.raises(UsageError, match="'mine' was registered in this process and cannot be sent to workers"):
        run(config(), db=tmp_path / "agentr.db", stages=("search",), registry=registry)


def elsewhere_plugin() -> object:
    from agentr_core import PluginSpec, hookimpl

    class Mine:
        @hookimpl
        def agentr_register_critics(self) -> list[PluginSpec]:
            return [PluginSpec(kind="critic", name="mine", target="nowhere:Critic")]

    return Mine()


def test_workers_end_with_the_run_however_it_ends(agentr: Agentr, tmp_path: Path) -> None:
    """Each worker that answered has left its number; after the run was killed they are gone."""
    pids = tmp_path / "pids"
    pids.mkdir()
    plugin = tmp_path / "leaves_its_number.py"
    plugin.write_text(
        "import os, pathlib\n"
        "from agentr_scripted.flawed import FlawedPolicy\n"
        "class Known(FlawedPolicy):\n"
        "    async def ready(self):\n"
        "        (pathlib.Path(os.environ['PIDS']) / str(os.getpid())).touch()\n"
    )
    killed = agentr(
        *("run", *SMALL, "--plugin", str(plugin), "--plugin", str(SUPPORT / "dying.py")),
        *("--policy", "leaves_its_number:Known", "-o", "policy.rate=0.5"),
        *("--executor", "processes", "-o", "processes.workers=2"),
        PIDS=str(pids), SIGNAL_AFTER=f"2:{int(signal.SIGKILL)}",
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    numbers = [int(path.name) for path in pids.iterdir()]
    assert numbers
    deadline = time.monotonic() + 60
    while left := [number for number in numbers if Path(f"/proc/{number}").exists() and not zombie(number)]:
        assert time.monotonic() < deadline, f"{left} still work"
        os.sched_yield()


def zombie(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
