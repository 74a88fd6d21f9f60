"""Workers on real raylets of one machine: the rows of one process, whoever dies on the way."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from raylets import one_more, started
from scripted_runs import SCRIPTED, Agentr, command, dump, environment, last_of_each

from agentr_core import UsageError, configure
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.runs import elsewhere
from agentr_core.runs.start_and_resume import run
from agentr_core.store import open_store
from agentr_core.workers import crew
from agentr_core.workers.crew import Crew

ray = pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytestmark = pytest.mark.slow  # a head and two more raylets take their time

SUPPORT = Path(__file__).parents[2] / "support"
PLUGINS = ("--plugin", str(SUPPORT / "dying.py"), "--plugin", str(SUPPORT / "breaking.py"))
#: As short as a run can be in which trees are grown, revised, and measured twice.
SMALL = (
    *("run", *SCRIPTED, "--tasks", "8", "--iterations", "1", "--eval-tasks", "4", "-o", "revise.max_pairs_per_tree=3"),
    *(*PLUGINS, "--policy", "dying:Dying", "-o", "policy.rate=0.5"),
)
Inside = Callable[..., int]
#: Requests after which a worker is well at work.
BEGUN = 12


def small(*more: str) -> list[str]:
    """The run, without the options of the policy that it does not have."""
    words = last_of_each((*SMALL, *more))
    drop = next((index for index, word in enumerate(words) if word.startswith("flawed.")), None)
    return words if drop is None else words[: drop - 1] + words[drop + 1 :]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head without room for workers, and a raylet that has some."""
    made = started({"num_cpus": 3})
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inside:
    """The program in this process, which is quicker; its workers are on the cluster all the same."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: main(list(arguments))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the run leaves that has no workers."""
    folder = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(small()) == 0
    return dump(folder / "agentr.db")


def on(cluster: Any, workers: int, *more: str) -> list[str]:
    return ["--executor", "ray", "-o", f"ray.address={cluster.address}", "-o", f"ray.workers={workers}", *more]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_leave_the_rows_of_one_process(
    inside: Inside, alone: list[str], tmp_path: Path, cluster: Any, workers: int
) -> None:
    assert inside(*small(*on(cluster, workers))) == 0
    assert dump(tmp_path / "agentr.db") == alone


def test_what_a_killed_worker_had_in_hand_is_done_by_another(
    inside: Inside, alone: list[str], tmp_path: Path, cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lives").mkdir()
    (tmp_path / "lives" / "1").touch()
    dies = ("-o", f'ray.environment={{DIE_FOLDER = "{tmp_path}/lives"}}')
    assert inside(*small(*on(cluster, 2, *dies))) == 0
    assert "is gone (the actor's process or machine is gone" in capsys.readouterr().err
    assert not list((tmp_path / "lives").iterdir())
    assert dump(tmp_path / "agentr.db") == alone


def test_a_raylet_that_is_killed_takes_nothing_with_it(
    inside: Inside, alone: list[str], tmp_path: Path, cluster: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is one place for the one worker: it goes in the middle of the trees, and another comes.

    A worker outlives its raylet by a moment, in which it may still answer: its end is waited for.
    """
    import breaking  # the very module that --plugin names

    place = {"num_cpus": 1, "resources": {"place": 1}}
    lost = one_more(cluster, **place)

    def move() -> None:
        cluster.remove_node(lost, allow_graceful=False)
        (worker,) = (tmp_path / "pids").iterdir()
        deadline = time.monotonic() + 600
        while Path(f"/proc/{worker.name}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        one_more(cluster, **place)

    breaking.ended.clear()
    breaking.actions[2] = move
    (tmp_path / "pids").mkdir()
    there = ("-o", "ray.resources={place = 1}", "-o", f'ray.environment={{PIDS = "{tmp_path}/pids"}}')
    assert inside(*small(*on(cluster, 1, *there))) == 0
    assert not breaking.actions and "is gone (" in capsys.readouterr().err
    assert dump(tmp_path / "agentr.db") == alone


def test_while_nothing_can_be_written_workers_wait(
    inside: Inside, tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is stuck until the worker is asked nothing any more, by when it has done a small part of the work."""
    monkeypatch.setattr(crew, "QUEUE", 2)
    said, stuck = Crew._said, list[int]()

    def asked() -> int:
        return sum(int(path.read_text() or 0) for path in (tmp_path / "pids").iterdir())

    async def waiting(self: Crew) -> Sequence[Any]:
        if asked() > BEGUN and not stuck:
            looks = [-1]
            while len(looks) < 6 or len(set(looks[-6:])) > 1:
                await asyncio.sleep(0.5)
                looks.append(asked())
            stuck.append(looks[-1])
        return await said(self)

    monkeypatch.setattr(Crew, "_said", waiting)
    (tmp_path / "pids").mkdir()
    there = ("-o", f'ray.environment={{PIDS = "{tmp_path}/pids"}}', "--tasks", "24", "--concurrency", "4")
    search = small(*on(cluster, 1, *there, "-o", "mcts.simulations=8"))
    assert inside("search", *search[1:]) == 0
    assert 0 < stuck[0] < asked() / 2


@pytest.fixture
def call(tmp_path: Path) -> Agentr:
    """The program in a process of its own."""

    def called(*arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        told = command(*arguments)
        return subprocess.run(told, cwd=tmp_path, env=environment(**extra), capture_output=True, text=True, timeout=900)

    return called


def test_a_killed_run_is_gone_on_with_without_ray(call: Agentr, alone: list[str], tmp_path: Path, cluster: Any) -> None:
    killed = call(*small(*on(cluster, 2)), SIGNAL_AFTER=f"3:{int(signal.SIGKILL)}")
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    resumed = call("resume", "last", "--executor", "local")
    assert resumed.returncode == 0, resumed.stderr
    assert dump(tmp_path / "agentr.db") == alone


def test_the_first_interrupt_drains(call: Agentr, alone: list[str], tmp_path: Path, cluster: Any) -> None:
    stopped = call(*small(*on(cluster, 2)), SIGNAL_AFTER=f"3:{int(signal.SIGINT)}")
    assert stopped.returncode == 130 and "Traceback" not in stopped.stderr, stopped.stderr
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        assert store.runs.find("last").status == "interrupted"
    resumed = call("resume", "last", "--executor", "ray", "-o", f"ray.address={cluster.address}", "-o", "ray.workers=1")
    assert resumed.returncode == 0, resumed.stderr
    assert dump(tmp_path / "agentr.db") == alone


def test_a_worker_with_another_version_is_refused(
    tmp_path: Path, cluster: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elsewhere, "versions", lambda *_: {"agentr": "9.9"})
    config = configure(
        env={"name": "textcraft", "world": "synthetic", "depth": 2}, policy="flawed", trainer="none", iterations=1,
        executor="ray", ray={"workers": 1, "address": cluster.address}, search={"tasks": 2},
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"a worker on .* has agentr .* and the run 9\.9"):
        run(config, db=tmp_path / "agentr.db", stages=("search",), progress=Progress(quiet=True))


def test_a_cluster_that_is_not_there_is_said_in_a_sentence(inside: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    ray.shutdown()
    nowhere = ("--executor", "ray", "-o", "ray.address=127.0.0.1:1", "-o", "ray.workers=1")
    assert inside(*small(*nowhere)) == 1
    assert "the Ray cluster at '127.0.0.1:1' cannot be used" in capsys.readouterr().err
