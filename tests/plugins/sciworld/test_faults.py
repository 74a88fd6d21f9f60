"""What can go wrong with a Java process, on real ones; nothing of it shows in what an agent sees."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from agentr_core import EnvironmentFailure, PluginError

SCRIPT = ("open door to kitchen", "go to kitchen", "look around", "open fridge", "0", "look in fridge", "wait1")
Harm = Callable[[Any], object]


def kill(worker: Any) -> None:
    send(worker, signal.SIGKILL)


def freeze(worker: Any) -> None:
    send(worker, signal.SIGSTOP)


def send(worker: Any, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):  # in a search two harms may meet in one process
        os.kill(worker.jvm.pid, number)


def exhaust(worker: Any) -> None:
    """Fill the heap."""
    from agentr_core import JavaLost

    with pytest.raises(JavaLost, match=r"has used up its heap of \d+ MB"):
        worker.jvm.ask(_hold)


def starve(worker: Any) -> None:
    """Fill the heap, unless another harm comes first: in a search they may meet in one process."""
    from agentr_core import JavaLost

    with pytest.raises(JavaLost):
        worker.jvm.ask(_hold)


def _hold(jvm: Any) -> None:
    blocks = jvm.java.util.ArrayList()
    while True:  # 16 MB at a time, until Java has no more
        blocks.add(jvm.java.nio.ByteBuffer.allocate(1 << 24))


def gone(pid: int) -> bool:
    """True where no such process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def play(env: Any, harm: Harm | None = None, after: int = 3) -> list[object]:
    seen: list[object] = [env.reset(env.task_for("boil", 3))]
    for number, action in enumerate(SCRIPT):
        if harm is not None and number == after:
            harm(env._fleet.workers[0])
        seen += [env.step(action), env.state_key()]
    return seen


@pytest.mark.parametrize("harm", [kill, freeze, exhaust], ids=lambda harm: harm.__name__)
def test_a_lost_process_is_replaced_and_the_episode_goes_on(make: Any, apart: Any, harm: Harm) -> None:
    env = apart(workers=1, timeout=10.0 if harm is freeze else 120.0)
    env.reset(env.task_for("boil", 3))
    [before], lost = env._fleet.workers, env._fleet.lost
    assert play(env, harm) == play(make())
    [after] = env._fleet.workers
    assert after is not before and gone(before.jvm.pid)
    assert (env._fleet.lost, env.mismatches) == (lost + 1, 0)


class Harmed:
    """Calls ``harm`` on a Java process before the steps of these numbers, counted over all environments."""

    def __init__(self, harms: dict[int, Harm]) -> None:
        self.harms, self.steps, self.fleet = harms, 0, None

    def environment(self, apart: Any, **options: Any) -> Any:
        env = apart(**options)
        step, self.fleet = env.step, env._fleet

        def harmed(action: str) -> Any:
            self.steps += 1
            if harm := self.harms.get(self.steps):
                alive = [worker for worker in env._fleet.workers if worker.jvm.alive]
                if alive:  # a step that comes while the next process starts harms nothing
                    harm(min(alive, key=lambda worker: worker.way(env.snapshot().moment)))
            return step(action)

        env.step = harmed
        return env


def search(make_environment: Callable[[], Any]) -> list[tuple[Any, ...]]:
    """A small tree of the flawed expert; its nodes as plain data."""
    from agentr_core import create
    from agentr_core.play.environment_pool import EnvironmentPool
    from agentr_core.search.search_context import TreeContext

    async def no_store(*_: Any) -> None:
        return None

    async def grow() -> list[tuple[Any, ...]]:
        pool = EnvironmentPool(make_environment, limit=2)
        policy, searcher = create("policy", "flawed", rate=0.4), create("searcher", "mcts", simulations=1, depth=6)
        policy.bind(make_environment)
        task = pool.reference.task("identify-life-stages-2/0")
        context = await TreeContext.open(task, pool=pool, policy=policy, save=no_store, seed=1, session="s")
        tree = await searcher.search(task, context)
        assert context.branches.stats.mismatches == 0
        context.close()
        return [(node.action, node.observation, node.reward, node.state_key, node.visits) for node in tree.nodes]

    return asyncio.run(grow())


@pytest.fixture(scope="module")
def undisturbed(make: Any) -> list[tuple[Any, ...]]:
    """The tree of a search that loses none."""
    return search(lambda: make(snapshots="off"))


def test_a_search_that_loses_processes_grows_the_same_tree(
    apart: Any, means: dict[str, Any], undisturbed: list[tuple[Any, ...]]
) -> None:
    """Killed, frozen, out of memory, killed again; their snapshots are lost with them."""
    harmed = Harmed({3: kill, 9: freeze, 15: starve, 16: kill})
    assert search(lambda: harmed.environment(apart, workers=2, timeout=10.0, **means)) == undisturbed
    assert harmed.steps > 16 and len(undisturbed) > 8 and harmed.fleet.lost >= 2


def test_a_process_that_dies_while_it_takes_or_restores_a_snapshot_is_replaced(apart: Any, jdk: str) -> None:
    env = apart(workers=1, snapshots="on")
    undisturbed, lost = play(env), env._fleet.lost
    env.reset(env.task_for("boil", 3))
    states, seen = [], []
    for action in SCRIPT:
        states.append(env.snapshot())
        if len(states) == 3:
            die_in(env._fleet.workers[0], "keep")
        seen.append(env.step(action))
    assert seen == undisturbed[1::2] and env._fleet.lost == lost + 1
    die_in(env._fleet.workers[0], "restore")
    env.restore(states[4])
    assert env.step(SCRIPT[4]) == seen[4] and (env._fleet.lost, env.mismatches) == (lost + 2, 0)


def die_in(worker: Any, method: str) -> None:
    """Kill the process at the beginning of the next call of a method of its snapshots."""
    call = getattr(worker.snapshots, method)
    setattr(worker.snapshots, method, lambda moment: (kill(worker), call(moment))[1])


def test_what_kills_every_process_is_an_environment_failure(apart: Any) -> None:
    env = apart(workers=1)
    env.reset(env.task_for("boil", 0))
    worker_type = type(env._fleet.workers[0])

    def deadly(worker: Any) -> None:
        assert isinstance(worker, worker_type)
        kill(worker)
        worker.step("look around")

    with pytest.raises(EnvironmentFailure, match=r"lost 3 Java processes one after another .*exit status -9"):
        env._at_state(deadly)
    assert env.step("look around").observation.startswith("This room is called")


def test_a_heap_that_is_too_small_says_what_to_do(make: Any) -> None:
    env = make(memory_mb=16)
    with pytest.raises((EnvironmentFailure, PluginError), match=r"memory_mb|OutOfMemory"):
        env.reset(env.task_for("mendelian-genetics-known-plant", 0))
    env.close()


def test_no_java(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    env = make(memory_mb=260)
    with pytest.raises(PluginError, match=r"there is no java on the PATH: install Java 8 or newer"):
        env.reset(env.task_for("boil", 0))
    env = make(java=str(tmp_path / "java"))
    with pytest.raises(PluginError, match=r"there is no program '.*java'"):
        env.reset(env.task_for("boil", 0))


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'Error: Could not create the Java Virtual Machine.' >&2; exit 1", "Could not create the Java Virtual"),
        ("exec sleep 600", "did not start ScienceWorld within 0.5 s"),
        ("exit 3", r"did not start ScienceWorld \(exit status 3\): it said nothing"),
    ],
)
def test_a_java_that_does_not_start(make: Any, tmp_path: Path, script: str, message: str) -> None:
    program = executable(tmp_path / "java", script)
    env = make(java=program, timeout=0.5)
    with pytest.raises(PluginError, match=message):
        env.reset(env.task_for("boil", 0))
    assert env._fleet.workers == []


def test_a_java_that_is_killed_while_it_starts_is_started_again(make: Any, java: str, tmp_path: Path) -> None:
    """As a system does that has no memory left; the first two do not live to see their port."""
    count = tmp_path / "count"
    killed = f"echo x >> '{count}'; [ $(wc -l < '{count}') -gt {{}} ] || kill -9 $$; exec '{java}' \"$@\""
    env = make(java=executable(tmp_path / "java", killed.format(2)))
    assert env.reset(env.task_for("boil", 0)) and count.read_text().count("x") == 3
    env = make(java=executable(tmp_path / "never", killed.format(9)))
    with pytest.raises(EnvironmentFailure, match=r"was killed \(signal 9\) while it started ScienceWorld"):
        env.reset(env.task_for("boil", 0))


def test_a_java_that_is_too_old(make: Any, java: str, tmp_path: Path) -> None:
    """This Java, for which one class was made by a much newer compiler: what it says is what an old one says."""
    from py4j.java_gateway import find_jar_path

    name = "py4j/GatewayServer.class"
    with zipfile.ZipFile(find_jar_path()) as jar:
        made = bytearray(jar.read(name))
    made[6:8] = (200).to_bytes(2, "big")  # the version of a class file
    (tmp_path / "py4j").mkdir()
    (tmp_path / name).write_bytes(made)
    program = executable(tmp_path / "java", f"exec '{java}' '-Xbootclasspath/a:{tmp_path}' \"$@\"")
    env = make(java=program)
    with pytest.raises(PluginError, match=r"java is too old for ScienceWorld: install Java 8 or newer"):
        env.reset(env.task_for("boil", 0))
    assert env._fleet.workers == []


def executable(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_taken_ports_are_not_in_the_way_and_strangers_are_not_let_in(apart: Any) -> None:
    """py4j's usual ports are in use; whoever finds ours needs the secret."""
    from py4j.java_gateway import GatewayParameters, JavaGateway
    from py4j.protocol import Py4JError

    taken = []
    for port in (25333, 25334):
        taken.append(socket.socket())
        try:
            taken[-1].bind(("127.0.0.1", port))
        except OSError:
            continue  # somebody else has it: taken all the same
        taken[-1].listen()
    env = apart(workers=1, memory_mb=258)
    assert "This room" in env.reset(env.task_for("boil", 0))
    port = env._fleet.workers[0].jvm._gateway.gateway_parameters.port
    stranger = JavaGateway(gateway_parameters=GatewayParameters(port=port, read_timeout=60))
    with pytest.raises(Py4JError):
        stranger.jvm.java.lang.System.getProperty("user.dir")
    stranger.close()
    for each in taken:
        each.close()


def test_closing_ends_the_processes(apart: Any) -> None:
    first, second = apart(workers=1, memory_mb=259), apart(workers=1, memory_mb=259)
    first.reset(first.task_for("boil", 0))
    [worker] = first._fleet.workers
    first.close()
    first.close()
    assert worker.jvm.alive
    second.close()
    assert not worker.jvm.alive and gone(worker.jvm.pid) and first._fleet.workers == []
    worker.close()


_ORPHAN = """
import os, signal
from agentr_sciworld.config import SciWorldConfig
from agentr_sciworld.env import SciWorld
env = SciWorld(SciWorldConfig(workers=1))
env.reset(env.task_for("boil", 0))
print(env._fleet.workers[0].jvm.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_parent_leaves_no_process(java: str) -> None:
    result = subprocess.run([sys.executable, "-c", _ORPHAN], capture_output=True, text=True)
    assert result.returncode == -signal.SIGKILL
    pid, deadline = int(result.stdout), time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < deadline, "the Java process outlived its parent"
        time.sleep(0.05)


def test_ctrl_c_does_not_reach_the_simulator(make: Any) -> None:
    """A run drains after the first Ctrl-C, which a terminal sends to the whole foreground group."""
    env = make()
    env.reset(env.task_for("boil", 0))
    pid = env._fleet.workers[0].jvm.pid
    assert os.getpgid(pid) == pid != os.getpgid(0)


@pytest.mark.slow
def test_a_worn_process_is_replaced_before_it_takes_more_memory(apart: Any) -> None:
    from agentr_sciworld.moments import Begin

    env = apart(workers=1, recycle=100)
    processes, resident, begin = set(), list[int](), Begin("identify-life-stages-2", 0)
    for number in range(1, 211):
        description = env._fleet.use(lambda worker: worker.load(begin))
        assert description.startswith("Your task is to focus on the life stages")
        here = {worker.jvm.pid for worker in env._fleet.workers}  # none after the last one of a process
        processes |= here
        if number % 10 == 9:
            resident += [int(status(pid).partition("VmRSS:")[2].split()[0]) for pid in here]
    assert "life stages" in env.reset(env.task_for(*begin[:2]))
    assert len(processes) == 3 and len(env._fleet.workers) == 1
    assert len(resident) == 21 and max(resident) < 450 * 1024


def status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
