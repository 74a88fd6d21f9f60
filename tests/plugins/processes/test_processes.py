"""Worker processes: the rows of one process, whoever dies on the way."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import SCRIPTED, command, dump, environment, last_of_each

from agentr_core import RunConfig, UsageError, configure
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import Registry
from agentr_core.runs import elsewhere
from agentr_core.runs.start_and_resume import run
from agentr_core.store import open_store

SUPPORT = Path(__file__).parents[2] / "support"
#: As short as a run can be in which trees are grown, revised, and measured twice.
SMALL = (*SCRIPTED, "--tasks", "8", "--iterations", "1", "--eval-tasks", "4", "-o", "revise.max_pairs_per_tree=3")
DYING = ("--plugin", str(SUPPORT / "dying.py"), "--policy", "dying:Dying", "-o", "policy.rate=0.5")
TWO = ("--executor", "processes", "-o", "processes.workers=2")
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


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The program in this process, which is quicker; its workers are processes all the same."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str, **extra: str) -> int:
        for name, value in extra.items():
            monkeypatch.setenv(name, value)
        return main(last_of_each(arguments))

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a run that had no workers."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(last_of_each(small())) == 0
    return folder / "agentr.db"


@pytest.fixture(scope="module")
def alone(finished: Path) -> list[str]:
    """What the run leaves that had no workers."""
    return dump(finished)


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_leave_the_rows_of_one_process(
    inside: Callable[..., int], alone: list[str], tmp_path: Path, workers: int
) -> None:
    assert inside(*small("--executor", "processes", "-o", f"processes.workers={workers}")) == 0
    assert dump(tmp_path / "agentr.db") == alone


def test_single_stages_are_done_by_workers_as_well(
    inside: Callable[..., int], finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The critic ``value`` over the run's trees, and its first model over other tasks."""
    dumps = []
    for name, workers in (("here", ()), ("there", TWO)):
        shutil.copy(finished, tmp_path / f"{name}.db")
        where = ("--run", "last", "--db", f"{name}.db", *DYING[:2], *workers)
        assert inside("revise", "--critic", "value", *where) == 0
        assert inside("eval", "--eval-tasks", "6", *where) == 0
        dumps.append(dump(tmp_path / f"{name}.db"))
    assert dumps[0] == dumps[1] and len(dumps[0]) > len(dump(finished))


def lives(folder: Path, count: int) -> str:
    """A folder that lets so many workers end."""
    folder.mkdir()
    for number in range(count):
        (folder / str(number)).touch()
    return str(folder)


def test_what_killed_workers_had_in_hand_is_done_by_others(
    inside: Callable[..., int], alone: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert inside(*small(*TWO), DIE_FOLDER=lives(tmp_path / "lives", 2)) == 0
    told = capsys.readouterr().err
    assert told.count("was ended by SIGKILL") == 2 and "go to others" in told
    assert not list((tmp_path / "lives").iterdir())
    assert dump(tmp_path / "agentr.db") == alone


def test_a_task_over_which_three_workers_die_fails_alone(
    inside: Callable[..., int], alone: list[str], tmp_path: Path
) -> None:
    tasks = [json.loads(line)[1] for line in alone if line.startswith('["tasks"')]
    key = next(task["key"] for task in tasks if task["split"] == "train")
    dying = {"DIE_FOLDER": lives(tmp_path / "lives", 9), "DIE_ON": key}
    assert inside("search", *small(*TWO, "--concurrency", "2")[1:], **dying) == 3
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        rows = store.trees.select()
    failed = [row for row in rows if row.status != "done"]
    assert [row.task for row in failed] == [key]
    assert "3 workers died over it; the last: process" in str(failed[0].error)


def test_a_tree_whose_workers_are_told_to_go_again_and_again_is_none_that_failed(
    inside: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """SIGTERM, as SLURM and spot machines send it: more workers leave over one tree than may die over it."""
    going = ("--plugin", str(SUPPORT / "told_to_go.py"), "--policy", "told_to_go:Going")
    search = ("search", *small("--tasks", "2", "-o", "mcts.simulations=16", "--concurrency", "2", *going)[1:])
    assert inside(*search, "--db", "here.db") == 0
    with open_store(tmp_path / "here.db", read_only=True) as store:
        tree = max(store.trees.select(), key=lambda row: row.simulations)
    told = {"GO_FOLDER": lives(tmp_path / "lives", 4), "GO_ON": tree.task, "PIDS": lives(tmp_path / "pids", 0)}
    assert inside(*search, "--db", "there.db", *TWO, **told) == 0
    said = capsys.readouterr().err
    assert said.count("was told to go, and has") == 4 and "is gone" not in said
    assert not list((tmp_path / "lives").iterdir())
    assert dump(tmp_path / "there.db") == dump(tmp_path / "here.db")
    wait_for_their_end([int(path.name) for path in (tmp_path / "pids").iterdir()])


def test_a_killed_run_is_gone_on_with_in_one_process(agentr: Agentr, alone: list[str], tmp_path: Path) -> None:
    (tmp_path / "pids").mkdir()
    killed = agentr(*small(*TWO), SIGNAL_AFTER=f"3:{int(signal.SIGKILL)}", PIDS=str(tmp_path / "pids"))
    assert killed.returncode == -signal.SIGKILL
    workers = [int(path.name) for path in (tmp_path / "pids").iterdir()]
    assert workers
    wait_for_their_end(workers)
    resumed = agentr("resume", "last", "--executor", "local")
    assert resumed.returncode == 0, resumed.stderr
    assert dump(tmp_path / "agentr.db") == alone


def test_the_first_interrupt_drains_and_the_run_goes_on_with_its_workers(
    agentr: Agentr, alone: list[str], tmp_path: Path
) -> None:
    stopped = agentr(*small(*TWO), SIGNAL_AFTER=f"3:{int(signal.SIGINT)}")
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


def test_what_the_user_must_mend_in_a_worker_is_said_as_it_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken_policy.py"
    broken.write_text(
        "from agentr_core import Policy, PluginConfig, UsageError\n"
        "class Broken(Policy[PluginConfig]):\n"
        "    async def ready(self):\n"
        "        raise UsageError('there is no such model; name another one')\n"
        "    async def sample(self, request):\n"
        "        return []\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UsageError, match="there is no such model; name another one"):
        run(config(policy="broken_policy:Broken"), db=tmp_path / "agentr.db", stages=("search",))


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


def wait_for_their_end(numbers: Sequence[int]) -> None:
    """Workers end by themselves once the run is gone."""
    deadline = time.monotonic() + 60
    while left := [number for number in numbers if not ended(number)]:
        assert time.monotonic() < deadline, f"{left} still work"
        time.sleep(0.05)


def ended(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
