"""Where snapshots come from, and where they are refused. That they are exact: test_exact.py."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
from agentr_sciworld import jvm, snapshots, worker
from agentr_sciworld.tasks import kinds

from agentr_core import PluginError, cache_folder


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def only_java(java: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A Java with no compiler beside it, nor on the path."""
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nexec '{java}' \"$@\"\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return str(program)


def test_classes_are_compiled_once(
    jdk: str, empty_cache: Path, only_java: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(Path(jdk).parent))
        made = snapshots.snapshot_classes(jvm.JvmSettings(snapshots="on"))
    assert made is not None and made.is_relative_to(empty_cache) and [*made.rglob("Snapshots.class")]
    before = {file: file.stat().st_mtime_ns for file in empty_cache.rglob("*.class")}
    # From then on no compiler is needed, and other settings share them.
    assert snapshots.snapshot_classes(jvm.JvmSettings(java=only_java, memory_mb=99, snapshots="on")) == made
    assert {file: file.stat().st_mtime_ns for file in empty_cache.rglob("*.class")} == before
    assert [path.name for path in made.parent.iterdir() if path != made] == ["lock"]


def test_without_a_compiler_there_are_none(apart: Any, empty_cache: Path, only_java: str) -> None:
    env = apart(java=only_java, workers=1)
    assert "This room" in env.reset(env.task_for("boil", 0))
    assert env._fleet.workers[0].snapshots is None and env.version.endswith("/exact")
    env = apart(java=only_java, workers=1, snapshots="on")
    message = r"sciworld cannot take snapshots, because there is no Java compiler \(javac\): install a JDK, 8 or newer"
    with pytest.raises(PluginError, match=message):
        env.reset(env.task_for("boil", 0))
    assert env._fleet.workers == []


def test_a_compiler_that_fails_is_no_compiler(
    empty_cache: Path, only_java: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Path(only_java).with_name("javac")
    broken.write_text("#!/bin/sh\necho 'error: no such option' >&2; exit 2\n")
    broken.chmod(0o755)
    with caplog.at_level(logging.INFO, "agentr.sciworld"):
        assert snapshots.snapshot_classes(jvm.JvmSettings(java=only_java)) is None
    assert "javac failed (error: no such option)" in caplog.text
    assert not [path for path in (empty_cache / "sciworld" / "classes").iterdir() if path.name != "lock"]


def test_a_cache_that_cannot_be_written_to_is_no_failure(
    jdk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AGENTR_CACHE", str(tmp_path / "file"))
    assert snapshots.snapshot_classes(jvm.JvmSettings()) is None


def test_a_java_whose_hashes_differ_gets_none(jdk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the place of a thing in a set depends on what the copy would not keep."""
    monkeypatch.setattr(jvm, "EXACT_OPTIONS", ())
    ordinary = worker.Worker(jvm.JvmSettings())
    assert ordinary.snapshots is None and not ordinary.exact
    ordinary.close()
    with pytest.raises(PluginError, match="a simulator that was put back goes on differently"):
        worker.Worker(jvm.JvmSettings(snapshots="on"))


def test_snapshots_that_forget_random_numbers_are_found_out(jdk: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the probe shows would be the same, and bees would fly elsewhere an hour later."""
    restored = worker.Worker._restored

    def careless(self: Any, moment: Any) -> bool:
        done = restored(self, moment)
        self.jvm.ask(lambda _: self._dice._random.nextInt())
        return done

    monkeypatch.setattr(worker.Worker, "_restored", careless)
    made = worker.Worker(jvm.JvmSettings())
    assert made.exact and made.snapshots is None
    made.close()


def test_what_cannot_be_copied_is_played_again(apart: Any, jdk: str, caplog: pytest.LogCaptureFixture) -> None:
    """A thread among the simulator's own data: no snapshot is taken, and nothing else changes."""
    env = apart(workers=1, snapshots="on")
    env.reset(env.task_for("boil", 0))
    [made] = env._fleet.workers
    lost = env._fleet.lost
    notes = made.jvm.ask(lambda _: made._server.currentHistory().notes())
    made.jvm.ask(lambda j: getattr(notes, "$plus$eq")(j.java.lang.Thread.currentThread()))
    state = env.snapshot()
    with caplog.at_level(logging.INFO, "agentr.sciworld"):
        seen = env.step("open door to kitchen")
    assert "Thread cannot be copied" in caplog.text and made.snapshots.held(state.moment) is None
    env.restore(state)
    assert env.step("open door to kitchen") == seen and (env.mismatches, env._fleet.lost) == (0, lost)


def test_snapshots_of_all_kinds_fit_into_the_heap(apart: Any, jdk: str) -> None:
    """A snapshot must not keep alive what a task was made with: that is many times as large."""
    env = apart(workers=1, snapshots="on", memory_mb=256, timeout=121)
    for kind in kinds():
        env.reset(env.task_for(kind.name, 0))
        for action in ("open door to hallway", "wait1", "look around", "inventory", "wait", "look around", "task"):
            env.snapshot()
            env.step(action)
    [made] = env._fleet.workers
    assert env._fleet.lost == 0 and len(made.snapshots) == made.snapshots.most
    resident = Path(f"/proc/{made.jvm.pid}/status").read_text().partition("VmRSS:")[2].split()[0]
    assert int(resident) < 450 * 1024


def test_sources_are_part_of_the_package() -> None:
    assert {path.name for path in snapshots.SOURCES.iterdir()} == {"Copier.java", "Shape.java", "Snapshots.java"}
    assert shutil.which("javac") is None or snapshots.find_compiler()
