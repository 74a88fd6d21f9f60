"""The crew with workers that are tasks of this process: those of a new package of ``agentr new executor``."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core import AgentrError, Executor, WorkerLink, WorkerLost
from agentr_core.cli.new import scaffold
from agentr_core.errors import NoWorkers
from agentr_core.interfaces.executor import AnyExecutor
from agentr_core.run_context import RunContext
from agentr_core.runs import worker
from agentr_core.runs.elsewhere import crew_of, setting_of
from agentr_core.runs.scratch import scratch_run
from agentr_core.search.stage import grow_trees
from agentr_core.store import canonical_dump
from agentr_core.workers import crew
from agentr_core.workers.crew import Crew

WORKERS = 2
#: Passes of the event loop after which nothing of this process can still be under way.
LONG = 3_000


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module of a new executor's package."""
    folder = tmp_path_factory.mktemp("package")
    for path, text in scaffold("executor", "tasks", "executor").items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield importlib.import_module("agentr_tasks.executor")


def config(trees: int = 6) -> agentr_core.RunConfig:
    return agentr_core.configure(
        env={"name": "textcraft", "world": "synthetic", "depth": 2}, policy="flawed", flawed={"rate": 0.5},
        trainer="none", mcts={"simulations": 4, "depth": 8}, iterations=1, search={"tasks": trees}, concurrency=4,
    )  # fmt: skip


async def search(context: RunContext, executor: AnyExecutor | None, during: Any = None) -> None:
    policy = context.make_policy()
    if executor is not None:
        context.crew = crew_of(context, executor, setting_of(context, policy, None))
        await context.crew.open()
    try:
        growing = asyncio.ensure_future(grow_trees(context, policy, context.make_searcher(), 1))
        if during is not None:
            await during(context.crew)
        await growing
    finally:
        if context.crew is not None:
            await context.crew.close()


def rows(executor: AnyExecutor | None = None, during: Any = None) -> list[str]:
    with scratch_run(config()) as context:
        asyncio.run(search(context, executor, during))
        return list(canonical_dump(context.store))


@pytest.fixture(scope="module")
def alone() -> list[str]:
    return rows()


def made(tasks: Any) -> AnyExecutor:
    executor: AnyExecutor = tasks.Tasks(tasks.TasksConfig(workers=WORKERS))
    return executor


def test_with_room_for_one_message_nothing_waits_for_ever(
    tasks: Any, alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "QUEUE", 1)
    monkeypatch.setattr(crew, "GROUP", 1)
    monkeypatch.setattr(worker, "OUTBOX", 1)
    monkeypatch.setattr(tasks, "ON_THE_WAY", 1)
    assert rows(made(tasks)) == alone


def test_while_nothing_can_be_written_workers_wait(
    tasks: Any, alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two messages on each stretch of the way, what is committed and not stored stays a handful."""
    for module, name in ((crew, "QUEUE"), (worker, "OUTBOX"), (tasks, "ON_THE_WAY")):
        monkeypatch.setattr(module, name, 2)
    sent, free, said = list[bytes](), asyncio.Event(), Crew._said

    async def waiting(self: Crew) -> Sequence[Any]:
        if self.room and len(sent) > 4:
            await free.wait()
        return await said(self)

    pack = worker.pack

    def counted(message: Any) -> bytes:
        sent.append(pack(message))
        return sent[-1]

    async def slow(crew: Crew) -> None:
        for _ in range(LONG):
            await asyncio.sleep(0)
        stuck.append(len(sent))
        for _ in range(LONG):
            await asyncio.sleep(0)
        stuck.append(len(sent))
        free.set()

    stuck = list[int]()
    monkeypatch.setattr(Crew, "_said", waiting)
    monkeypatch.setattr(worker, "pack", counted)
    assert rows(made(tasks), slow) == alone
    assert stuck[0] == stuck[1] <= 4 + 2 * 2 * WORKERS + 2 + 2 * WORKERS
    assert len(sent) > 2 * stuck[0], "too few messages to be held up"


def test_a_worker_that_says_nothing_any_more_is_given_up(
    tasks: Any, alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its line stays open, as that of a machine does that cannot be reached; what it holds is begun again elsewhere."""
    monkeypatch.setattr(crew, "SILENCE_SECONDS", 2.0)
    monkeypatch.setattr(crew, "UNEASY_SECONDS", 0.5)
    monkeypatch.setattr(worker, "ALIVE_SECONDS", 0.1)
    lost, lose, notes, init = list[tuple[int, int, str]](), Crew._lose, list[str](), Crew.__init__

    def noted(self: Crew, member: Any, error: AgentrError) -> None:
        lost.append((member.number, len(member.held), str(error)))
        lose(self, member, error)

    class Muted(Executor[agentr_core.PluginConfig]):
        workers = WORKERS

        async def start(self, number: int, setting: bytes) -> WorkerLink:
            link = await made(tasks).start(number, setting)
            return Mute(link) if number == 1 else link

    def listened_to(self: Crew, *given: Any, **named: Any) -> None:
        init(self, *given, **{**named, "say": notes.append})

    monkeypatch.setattr(Crew, "_lose", noted)
    monkeypatch.setattr(Crew, "__init__", listened_to)
    assert rows(Muted(agentr_core.PluginConfig())) == alone
    assert "warning: worker 1 has said nothing for 0.5 s; what it has begun goes to others after 2 s" in notes
    told = {number: (held, said) for number, held, said in lost}  # on a busy machine another one may be late as well
    held, said = told[1]
    assert held
    assert said == "it has said nothing for 2 s"


class Mute(WorkerLink):
    """A line on which nothing arrives after a few messages, though both ends are there."""

    def __init__(self, link: WorkerLink) -> None:
        self.link, self.left = link, 8

    async def send(self, message: bytes) -> None:
        await self.link.send(message)

    async def receive(self) -> bytes:
        self.left -= 1
        if self.left < 0:
            await asyncio.Event().wait()
        return await self.link.receive()

    async def close(self) -> None:
        await self.link.close()


class Never(WorkerLink):
    """A line to a worker that is gone before it has said a word."""

    async def send(self, message: bytes) -> None:
        raise WorkerLost("it never was")

    async def receive(self) -> bytes:
        raise WorkerLost("it never was")

    async def close(self) -> None:
        pass


class Nobody(Executor[agentr_core.PluginConfig]):
    """Starts workers that are gone at once."""

    workers = 2

    async def start(self, number: int, setting: bytes) -> WorkerLink:
        return Never()


def test_workers_that_never_begin_end_the_run_with_the_reason() -> None:
    """Not tree by tree: a stage that goes on without them would look as if the trees were to blame."""
    with pytest.raises(NoWorkers, match=r"7 workers have died one after the other.*; the last: it never was"):
        rows(Nobody(agentr_core.PluginConfig()))


def test_one_that_dies_before_any_has_begun_is_replaced(tasks: Any, alone: list[str]) -> None:
    """A machine may go while the workers start, as at any other time."""
    started = list[int]()

    class FirstNever(Nobody):
        async def start(self, number: int, setting: bytes) -> WorkerLink:
            started.append(number)
            return Never() if number <= WORKERS else await made(tasks).start(number, setting)

    assert rows(FirstNever(agentr_core.PluginConfig())) == alone
    assert sorted(started) == [1, 2, 3, 4]


class Odd(Nobody):
    """Cannot start any."""

    async def start(self, number: int, setting: bytes) -> WorkerLink:
        raise ValueError("no such queue")


def test_what_an_executor_raises_is_said() -> None:
    with pytest.raises(AgentrError, match="ValueError: no such queue"):
        rows(Odd(agentr_core.PluginConfig()))


def test_that_the_first_worker_is_waited_for_is_said(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker finds its place once that has been said, and never before."""
    monkeypatch.setattr(crew, "PATIENCE_SECONDS", 0.0)
    said, place = list[str](), asyncio.Event()

    class Late(Executor[agentr_core.PluginConfig]):
        workers = 1

        async def start(self, number: int, setting: bytes) -> WorkerLink:
            await place.wait()
            return await made(tasks).start(number, setting)

    def say(text: str) -> None:
        said.append(text)
        place.set()

    async def waited(context: RunContext) -> None:
        setting = setting_of(context, context.make_policy(), None)
        late = Late(agentr_core.PluginConfig())
        opened = Crew(late, setting, context.store, concurrency=1, stopped=lambda: False, say=say)
        try:
            await opened.open()
            assert opened.size == 1
        finally:
            await opened.close()

    with scratch_run(config()) as context:
        asyncio.run(waited(context))
    assert said == ["no worker is there yet; waiting for the first of 1"]


def test_jobs_are_shared_out_fairly(tasks: Any, tmp_path: Path) -> None:
    """Six trees and two workers: neither gets more than three of them at once, whoever comes first."""
    most: dict[int, int] = {}
    give = Crew._give

    def counted(self: Crew, member: Any, asked: Any) -> None:
        give(self, member, asked)
        most[member.number] = max(most.get(member.number, 0), len(member.held))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Crew, "_give", counted)
        rows(made(tasks))
    assert set(most) == {1, 2} and max(most.values()) <= 3


def test_a_worker_that_is_told_to_go_before_it_begins_is_none_that_could_not_be_started(
    tasks: Any, alone: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is told before it is there, the second by the run's first message to it: the next ones do the work."""
    serve, started = worker.serve_worker, list[int]()

    async def told_to_go(setting: bytes, receive: Any, send: Any) -> None:
        number, leave = len(started), asyncio.Event()
        started.append(number)
        if number == 0:
            leave.set()

        async def heard() -> bytes:
            message: bytes = await receive()
            if number == 1:
                leave.set()
            return message

        await serve(setting, heard, send, leave)

    monkeypatch.setattr(tasks, "serve_worker", told_to_go)
    assert rows(made(tasks)) == alone
    assert len(started) == 4
