"""What can go wrong with the Java process, on real ones; nothing of it shows in what an agent sees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentr_core import EnvironmentFailure, PluginError

SCRIPT = ("look around", "move west", "open door to north", "nonsense", "move north", "inventory")


def gone(pid: int) -> bool:
    """True where no such process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def send(env: Any, number: signal.Signals) -> None:
    """The signal, and what it brings: a process that is told to stop may run on for a moment on a busy machine."""
    pid = env._machine.jvm.pid
    os.kill(pid, number)
    while number == signal.SIGSTOP and state(pid) not in "Tt":
        os.sched_yield()


def state(pid: int) -> str:
    """One letter, as ``ps`` shows it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def exhaust(env: Any) -> None:
    """Fill the heap."""
    from agentr_core import JavaLost

    with pytest.raises(JavaLost, match=r"has used up its heap of \d+ MB"):
        env._machine.jvm.ask(_hold)


def _hold(jvm: Any) -> None:
    blocks = jvm.java.util.ArrayList()
    while True:  # 16 MB at a time, until Java has no more
        blocks.add(jvm.java.nio.ByteBuffer.allocate(1 << 24))


HARMS: dict[str, Callable[[Any], object]] = {
    "killed": lambda env: send(env, signal.SIGKILL),
    "frozen": lambda env: send(env, signal.SIGSTOP),
    "out of memory": exhaust,
}


def play(env: Any, harm: Callable[[Any], object] | None = None) -> list[object]:
    seen: list[object] = [env.reset(env.task("coin_4"))]
    for number, action in enumerate(SCRIPT):
        if harm is not None and number == 3:
            harm(env)
        seen += [env.step(action), env.state_key(), env.legal_actions()]
    return seen


@pytest.mark.parametrize("harm", HARMS.values(), ids=list(HARMS))
def test_a_lost_process_is_replaced_and_the_episode_goes_on(
    make: Any, apart: Any, harm: Callable[[Any], object]
) -> None:
    env = apart(timeout=10.0 if harm is HARMS["frozen"] else 120.0)
    before, lost = env._machine.jvm, env._machine.lost
    assert play(env, harm) == play(make())
    assert env._machine.jvm is not before and gone(before.pid)
    assert env._machine.lost > lost and env.mismatches == 0  # on a busy machine the next one may be too slow as well


def test_side_by_side_in_threads_each_plays_its_own_episode(make: Any) -> None:
    environments = [make() for _ in range(8)]
    keys = [f"{game}_{seed}" for seed in (1, 2) for game in ("coin", "twc", "mapreader", "arithmetic")]
    alone = [episode(make(), key) for key in keys]
    seen: dict[str, object] = {}
    threads = [
        threading.Thread(target=lambda env=env, key=key: seen.update({key: episode(env, key)}))
        for env, key in zip(environments, keys, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [seen[key] for key in keys] == alone
    assert len({env._machine.jvm.pid for env in environments}) == 1


def episode(env: Any, key: str) -> list[object]:
    task = env.task(key)
    return [env.reset(task), *(env.step(action) for action in env.demonstrate(task))]


def test_what_kills_every_process_may_pass(apart: Any) -> None:
    env = apart(memory_mb=258)
    env.reset(env.task("coin_0"))

    def deadly(seat: Any) -> None:
        os.kill(seat.jvm.pid, signal.SIGKILL)
        seat.step("look around")

    with pytest.raises(EnvironmentFailure, match=r"lost 3 Java processes one after another .*exit status -9") as raised:
        env._at_state(deadly)
    assert raised.value.passing
    assert env.step("look around").observation.startswith("You are in the")


def test_the_process_ends_with_its_last_environment(make: Any) -> None:
    one, other = make(memory_mb=259), make(memory_mb=259)
    pid = one._machine.jvm.pid
    one.close()
    assert not gone(pid)
    other.close()
    assert gone(pid)


def test_the_process_ends_with_a_program_that_closes_nothing(java: str, cache: str) -> None:
    code = (
        "import os, agentr_core\n"
        f"env = agentr_core.create('env', 'textworld_express', cache={cache!r})\n"
        "env.reset(env.task('coin_0'))\n"
        "print(env._machine.jvm.pid, flush=True)\n"
        "os._exit(1)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    pid = int(done.stdout)
    for _ in range(2_000):  # its standard input has closed: it ends by itself
        if gone(pid):
            break
        threading.Event().wait(0.01)
    assert gone(pid)


def test_no_java_is_one_sentence(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    env = make(memory_mb=260)
    with pytest.raises(PluginError, match=r"textworld_express needs Java, and there is no java on the PATH: install"):
        env.reset(env.task("coin_0"))
    env = make(java=str(tmp_path / "java"))
    with pytest.raises(PluginError, match=r"there is no program '.*java'"):
        env.reset(env.task("coin_0"))


def test_a_java_that_does_not_start(make: Any, tmp_path: Path) -> None:
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\necho 'Error: Could not create the Java Virtual Machine.' >&2; exit 1\n")
    program.chmod(0o755)
    env = make(java=str(program))
    with pytest.raises(PluginError, match=r"did not start TextWorldExpress .*Could not create the Java Virtual"):
        env.reset(env.task("coin_0"))


def test_a_run_without_java_ends_at_once_and_tasks_are_listed_all_the_same(java: str, tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTR_", "JAVA_"))}
    bare = {**kept, "PATH": str(tmp_path)}
    start = [sys.executable, "-m", "agentr_core"]
    rest = ("--policy", "flawed", "--searcher", "mcts", "--trainer", "none", "--db", str(tmp_path / "agentr.db"))
    done = subprocess.run(
        [*start, "run", "--env", "textworld_express", *rest], capture_output=True, text=True, env=bare
    )
    assert done.returncode == 4 and "Traceback" not in done.stderr and "task coin" not in done.stderr
    assert "error: textworld_express needs Java, and there is no java on the PATH: install Java 8" in done.stderr
    listed = [*start, "tasks", "list", "--env", "textworld_express", "--split", "dev", "--json"]
    done = subprocess.run(listed, capture_output=True, text=True, env=bare)
    assert done.returncode == 0 and '"coin_10999"' in done.stdout
