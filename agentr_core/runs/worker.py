"""The worker's side: a process that grows, revises and plays what a run hands it, many at once on one event loop.

It works as a run in one process does, over a store of its own, which holds what a job brought and is thrown away; all
that is committed there is sent to the run.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from agentr_core.evaluate.episodes import EpisodeItem, Episodes
from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.play.admission import Admission
from agentr_core.process.closing import closing
from agentr_core.process.garbage import seldom_collecting
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import Registry
from agentr_core.revise.stage import RevisesAhead
from agentr_core.run_context import RunContext, tree_session
from agentr_core.runs.provenance import check_worker, versions, world_versions
from agentr_core.runs.worlds import worlds_of
from agentr_core.search.tree_grower import TreeGrower
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import RevisionSetRow, TreeRow, open_store
from agentr_core.store.events import Event, TreeGrown
from agentr_core.store.rows import EvalKind
from agentr_core.store.tree_tables import drop_tree, put_tables
from agentr_core.workers.messages import (
    Alive,
    Back,
    Broken,
    Did,
    Ended,
    Job,
    Leaving,
    Message,
    PluginFile,
    Ready,
    Setting,
    Stop,
    Want,
    failure_of,
    pack,
    unpack,
)

#: Messages that wait to be sent: beyond that, what commits waits.
OUTBOX = 8
#: A worker that has nothing to say says so this often (workers/crew.py takes longer silence for its end).
ALIVE_SECONDS = 30.0

Receive = Callable[[], Awaitable[bytes]]
Send = Callable[[bytes], Awaitable[None]]


async def serve_worker(setting: bytes, receive: Receive, send: Send, leave: asyncio.Event | None = None) -> None:
    """Work for a run until it is gone: what an executor's worker process does all its life.

    ``setting`` is what :meth:`agentr_core.Executor.start` was given. ``receive`` gives the run's next message, and an
    empty one once the run is gone; ``send`` takes one to it, and waits while the run cannot take it. ``leave`` is set
    where the worker's machine is about to be taken away: it then commits the simulations at hand, hands back what is
    left and returns, and none of that counts as a failure.
    """
    async with _outbox(send) as out:
        try:
            known: Setting = unpack(setting)
            with _at_work(known, out) as context:
                await _Worker(context, known, leave or asyncio.Event()).serve(receive)
        except Exception as error:
            await out.put(Broken(failure_of(error)))


Outbox = asyncio.Queue[Message]


@asynccontextmanager
async def _outbox(send: Send) -> AsyncIterator[Outbox]:
    """What is put there is sent in order; whoever puts waits while the run is slow."""
    out = Outbox(OUTBOX)

    async def sending() -> None:
        while True:
            message = await out.get()
            await send(pack(message))
            out.task_done()

    task = asyncio.create_task(sending())
    try:
        yield out
    finally:
        sent = asyncio.create_task(out.join())
        # Nothing can be sent to a run that is gone: then the sending has ended.
        await asyncio.wait({sent, task}, return_when=asyncio.FIRST_COMPLETED)
        for each in (sent, task):
            each.cancel()
        await asyncio.gather(sent, task, return_exceptions=True)


@dataclass(slots=True, kw_only=True)
class _WorkerContext(RunContext):
    """A stage's context whose commits are sent to the run.

    ``number`` is that of the job at hand; ``complete``: what it was about is done, and no tree only grown further.
    """

    out: Outbox
    acting_model: str
    number: int = 0
    complete: bool = False

    async def commit(self, event: Event) -> None:
        """Keep what has been done for those who go on with it here, and send it."""
        self.store.apply(event)
        self.complete |= not isinstance(event, TreeGrown)
        await self.out.put(Did(self.number, event))

    def model_of(self, policy: AnyPolicy) -> str:
        """As the run's store names it, beside which a checkpoint may lie."""
        return self.acting_model


@contextmanager
def _at_work(setting: Setting, out: Outbox) -> Iterator[_WorkerContext]:
    config = RunConfig.model_validate(setting.config)
    with tempfile.TemporaryDirectory(prefix="agentr-worker-") as folder:
        registry = Registry(files=[_here(file, Path(folder)) for file in setting.plugins], blocked=setting.blocked)
        worlds = worlds_of(config, registry)
        try:
            check_worker(setting.versions, versions(config, registry) | world_versions(worlds))
            with open_store(Path(folder) / "worker.db") as store, seldom_collecting():
                # Rows stand alone here, and nothing of it is kept.
                store.connection.all("PRAGMA foreign_keys=OFF")
                store.connection.all("PRAGMA synchronous=OFF")
                progress = Progress(quiet=True)
                yield _WorkerContext(
                    store, setting.run, config, registry, progress, worlds, lambda: False, "", out=out,
                    acting_model=setting.acting,
                )  # fmt: skip
        finally:
            worlds.close()


def _here(file: PluginFile, folder: Path) -> str:
    """A plugin file where it lies on this machine as well, else a copy; a module by its name."""
    if file.source is None:
        return file.name
    path = Path(file.name)
    if path.is_file() and path.read_text(encoding="utf-8") == file.source:
        return str(path)
    copy = folder / path.name
    copy.write_text(file.source, encoding="utf-8")
    return str(copy)


@dataclass(slots=True)
class _Worker:
    context: _WorkerContext
    setting: Setting
    leave: asyncio.Event
    stopping: bool = False
    asked: bool = False
    running: set[asyncio.Task[None]] = field(default_factory=set)
    tools: _Tools = field(init=False)

    async def serve(self, receive: Receive) -> None:
        """Make what acts, say that it is there, and do jobs until the run is gone."""
        context = self.context
        context.stopped = lambda: self.stopping
        policy = context.make_policy(self.setting.model)
        try:
            await policy.ready()
            self.tools = _Tools(context, policy, Admission(self.setting.in_flight, policy))
            await self.context.out.put(Ready())
            await self._ask()
            beating = asyncio.create_task(self._beat())
            try:
                await self._listen_or_leave(receive)
            finally:
                beating.cancel()
                for task in self.running:
                    task.cancel()
                await asyncio.gather(*self.running, return_exceptions=True)
                await self.tools.close()
        finally:
            with closing(policy):
                await policy.close()

    async def _listen_or_leave(self, receive: Receive) -> None:
        """Until the run is gone, or this worker was told to go and has nothing more at hand."""
        both = [asyncio.create_task(each) for each in (self._listen(receive), self._leave())]
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()

    async def _leave(self) -> None:
        await self.leave.wait()
        self.stopping = True
        await self.context.out.put(Leaving())
        while self.running:
            await asyncio.wait(self.running)

    async def _listen(self, receive: Receive) -> None:
        while data := await receive():
            match unpack(data):
                case Job() as job:
                    self.asked = False
                    task = asyncio.create_task(self._do(job))
                    self.running.add(task)
                    await self._ask()
                case Stop():
                    self.stopping = True

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_SECONDS)
            await self.context.out.put(Alive())

    async def _ask(self) -> None:
        """Ask for one more job where there is room for it."""
        if not self.asked and not self.stopping and self.tools.admission.allows(len(self.running)):
            self.asked = True
            await self.context.out.put(Want())

    async def _do(self, job: Job) -> None:
        context = replace(self.context, number=job.number)
        ended: Message
        try:
            ended = Ended(job.number, await self._work(job, context))
        except Exception as error:
            ended = Ended(job.number, failure=failure_of(error))
        else:
            if self.leave.is_set() and not context.complete:
                ended = Back(job.number)
        await self.context.out.put(ended)
        self.running.discard(asyncio.current_task())
        await self._ask()

    async def _work(self, job: Job, context: RunContext) -> Any:
        put_tables(context.store.connection, job.tables)
        try:
            return await getattr(self.tools, job.kind)(context, *job.item)
        finally:
            for tree_id, *_ in job.tables.get("trees", ()):
                drop_tree(context.store.connection, tree_id)


@dataclass
class _Tools:
    """What jobs are done with: a method for each kind of job, of the things that its stage hands over."""

    context: _WorkerContext
    policy: AnyPolicy
    admission: Admission

    @cached_property
    def critic(self) -> AnyCritic:
        """The run's critic, made for the first tree that is revised."""
        return self.context.make_critic()

    @cached_property
    def searcher(self) -> AnySearcher:
        """The run's searcher."""
        return self.context.make_searcher()

    async def grow(self, context: RunContext, row: TreeRow, into: RevisionSetRow | None) -> None:
        """Grow a tree, and revise it for a set where there is one."""
        then = RevisesAhead(context, self.policy, self.critic, into) if into is not None else None
        await TreeGrower(context, self.policy, self.searcher, self.admission, then).grow(row)

    async def revise(self, context: RunContext, row: TreeRow, into: RevisionSetRow) -> None:
        """Revise a tree for a set."""
        try:
            await RevisesAhead(context, self.policy, self.critic, into)(row, self.admission)
        finally:
            self.admission.end(tree_session(row))

    async def play(self, context: RunContext, kind: EvalKind, eval_id: int, item: EpisodeItem) -> bool:
        """Play an episode of an evaluation."""
        return await Episodes(context, self.policy, kind, eval_id, self.admission).play(item)

    async def close(self) -> None:
        """Let go of the critic and the searcher where there are any."""
        for tool in (vars(self).get("critic"), vars(self).get("searcher")):
            if tool is not None:
                with closing(tool):
                    await tool.close()
