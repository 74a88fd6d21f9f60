"""The contract of an executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from agentr_core.errors import WorkerLost
from agentr_core.interfaces.critic import Critic, CritiqueContext
from agentr_core.interfaces.executor import AnyExecutor
from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.searcher import SearchContext, Searcher
from agentr_core.interfaces.tree import Tree
from agentr_core.records import Cut, SamplingParams, Task, Trajectory
from agentr_core.registry.lookup import Registry
from agentr_core.run_context import RunContext
from agentr_core.runs.elsewhere import crew_of, setting_of
from agentr_core.runs.scratch import scratch_run
from agentr_core.search.stage import grow_trees
from agentr_core.settings.layer import Layer
from agentr_core.settings.layers import resolve
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import canonical_dump
from agentr_core.testing.contract import Contract, require, same
from agentr_core.testing.fakes import CounterEnvironment, ScriptedPolicy
from agentr_core.workers.messages import pack

#: Trees of the search that workers are tried on, and the longest that one may take to begin, in seconds.
TREES, PATIENCE = 6, 300.0


class ExecutorContract(Contract):
    """Rules for the executors that ``make`` makes, tried on a search that needs no model."""

    subject = "executor"

    def __init__(self, make: Callable[[], AnyExecutor]) -> None:
        self._make = make

    def it_asks_for_workers(self) -> str:
        """At least one."""
        workers = self._make().workers
        require(workers >= 1, "at least 1 worker", workers)
        return f"{workers} workers"

    def what_workers_do_is_what_one_process_does(self) -> str:
        """The same trees, to the byte."""

        async def elsewhere(context: RunContext) -> None:
            policy = context.make_policy()
            crew = crew_of(context, self._make(), setting_of(context, policy, None))
            context.crew = crew
            try:
                async with asyncio.timeout(PATIENCE):
                    await crew.open()
                await grow_trees(context, policy, context.make_searcher(), 1)
            finally:
                await crew.close()

        async def here(context: RunContext) -> None:
            await grow_trees(context, context.make_policy(), context.make_searcher(), 1)

        dumps = []
        for grow in (here, elsewhere):
            with scratch_run(_config()) as context:
                asyncio.run(grow(context))
                dumps.append(list(canonical_dump(context.store)))
        same(dumps[0], dumps[1], "the store of a search here and by workers")
        return f"{TREES} trees"

    def a_worker_that_is_closed_is_gone(self) -> None:
        """Whoever still listens to it hears of it, and closing it twice does no harm."""

        async def tried(context: RunContext) -> None:
            executor = self._make()
            setting = pack(setting_of(context, context.make_policy(), None))
            async with asyncio.timeout(PATIENCE):
                link = await executor.start(1, setting)
                require(await link.receive(), "a worker that says something", "nothing")
                await link.close()
                await link.close()
                try:
                    for _ in range(100):  # what it said before may still be read
                        await link.receive()
                except WorkerLost:
                    return
                finally:
                    await executor.close()
            require(False, "WorkerLost after close()", "messages without an end")

        with scratch_run(_config()) as context:
            asyncio.run(tried(context))


class CountsSomehow(ScriptedPolicy):
    """A player at random that workers make for themselves."""

    def __init__(self, config: PluginConfig) -> None:
        super().__init__()


class Attempts(Searcher[PluginConfig]):
    """Whole attempts, one after the other."""

    @property
    def simulations(self) -> int:
        """Three."""
        return 3

    async def search(self, task: Task, context: SearchContext) -> Tree:
        """Go on from what is there."""
        while context.tree.simulations < self.simulations and not context.stopping:
            node = context.tree.root
            while not node.terminal:
                node = (await context.expand(node, 2, SamplingParams(), horizon=8))[-1]
            for each in node.ancestors():
                each.visits += 1
                each.value_sum += node.reward
            await context.commit()
        return context.tree


class KeepsAll(Critic[PluginConfig]):
    """Finds no error: nothing is revised here."""

    async def judge(self, bad: Trajectory, good: Trajectory, context: CritiqueContext) -> Cut:
        """The whole attempt."""
        return Cut(step=len(bad.steps), judged=False)


def _config() -> RunConfig:
    kinds = {"policy": CountsSomehow, "searcher": Attempts, "critic": KeepsAll, "env": CounterEnvironment}
    named = {kind: f"{cls.__module__}:{cls.__name__}" for kind, cls in kinds.items()}
    settings = {**named, "trainer": "none", "iterations": 1, "search": {"tasks": TREES}}
    return resolve([Layer("contract", settings)], plugins=Registry()).config
