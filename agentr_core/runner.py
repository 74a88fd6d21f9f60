"""One run: iterations of search, revise, train and evaluate over one store (Agent-R sections 3.1 and 3.2).

    tasks --search--> trees --revise--> samples --collect--> dataset --train--> checkpoint --evaluate--> metrics

A stage is marked done in the store when it is complete: a run that is started again does what is missing, and ends
with the rows of the run that was never interrupted.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from agentr_core.critic import AnyCritic
from agentr_core.environment import AnyEnvironment
from agentr_core.errors import Interrupted, ResumeError, UsageError
from agentr_core.hookspecs import Kind, RunFinished, RunStarted
from agentr_core.interrupt import StopSignal
from agentr_core.policy import AnyPolicy
from agentr_core.pool import EnvironmentPool
from agentr_core.progress import Progress
from agentr_core.records import Checkpoint
from agentr_core.registry import Registry
from agentr_core.registry import registry as default_registry
from agentr_core.settings import Plugin, RunConfig
from agentr_core.stages.bench import Bench, Shelf
from agentr_core.stages.evaluate import evaluate
from agentr_core.stages.revise import open_set, revise
from agentr_core.stages.search import search
from agentr_core.stages.train import train
from agentr_core.store import PluginRow, RunRow, Store, open_store

#: The name of the trainer that trains nothing: every iteration goes on with the same policy.
NO_TRAINER = "none"
#: The iteration number of what comes before the first one.
BASELINE = 0

StageName = Literal["search", "revise", "train", "evaluate"]
ALL_STAGES: tuple[StageName, ...] = ("search", "revise", "train", "evaluate")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``failed`` counts the trees and episodes that raised; the rest went on without them."""

    run: RunRow
    failed: int


def run(
    config: RunConfig,
    *,
    db: str | Path = "agentr.db",
    out: str | Path | None = None,
    name: str | None = None,
    stages: Sequence[StageName] = ALL_STAGES,
    progress: Progress | None = None,
    registry: Registry | None = None,
) -> Outcome:
    """Start a run and see it through; this is what ``agentr run`` calls.

    ``out`` is the folder of the checkpoints (by default ``agentr-out`` beside the database). Raises
    :class:`~agentr_core.errors.Interrupted` after Ctrl-C, with everything committed that was done.
    """
    registry = registry or default_registry()
    check_plugins(config, registry)
    with open_store(db) as store:
        stored = {**config.model_dump(mode="json"), "stages": list(stages), "out": None if out is None else str(out)}
        row = store.writer.create_run("run", stored, config_hash=config.hash, name=name, seed=config.seed)
        return carry_on(store, row, config, out=out, stages=stages, progress=progress, registry=registry)


def resume(
    reference: str,
    *,
    db: str | Path = "agentr.db",
    config: RunConfig | None = None,
    progress: Progress | None = None,
    registry: Registry | None = None,
) -> Outcome:
    """Go on with a run: its key, the start of one, its name, or ``last``.

    ``config`` is what the caller asks for now; where it differs from the stored one,
    :class:`~agentr_core.errors.ResumeError` shows each difference.
    """
    with open_store(db) as store:
        row = store.queries.run(reference)
        stored, stages, out = stored_config(row)
        if config is not None and (differences := stored.differences(config)):
            raise ResumeError(_differences(row, differences))
        _check_not_running(row)
        store.writer.set_run_status(row.id, "running")
        return carry_on(store, row, stored, out=out, stages=stages, progress=progress, registry=registry, resumed=True)


def stored_config(row: RunRow) -> tuple[RunConfig, Sequence[StageName], str | None]:
    """The configuration, stages and output folder that a run was started with."""
    values = dict(row.config)
    stages, out = values.pop("stages", ALL_STAGES), values.pop("out", None)
    return RunConfig.model_validate(values), tuple(stages), out


def _differences(row: RunRow, differences: Sequence[tuple[str, Any, Any]]) -> str:
    lines = [f"  {key}   stored {old}   now {new}" for key, old, new in differences]
    return "\n".join(
        [
            f"run {row.short} was started with another configuration",
            *lines,
            f"Start a new run, or resume with the stored configuration: agentr resume {row.short}",
        ]
    )


def _check_not_running(row: RunRow) -> None:
    """Refuse to work on a run that a living process of this machine works on."""
    if row.status != "running" or row.host != socket.gethostname() or row.pid == os.getpid():
        return
    try:
        os.kill(row.pid, 0)
    except ProcessLookupError:
        return
    except PermissionError:
        pass
    raise UsageError(f"run {row.short} is still being worked on by process {row.pid}; stop that one first")


def carry_on(
    store: Store,
    row: RunRow,
    config: RunConfig,
    *,
    out: str | Path | None = None,
    stages: Sequence[StageName] = ALL_STAGES,
    progress: Progress | None = None,
    registry: Registry | None = None,
    resumed: bool = False,
) -> Outcome:
    """Do what is missing of a run, and mark how it ended."""
    registry = registry or default_registry()
    with working(store, row, config, progress=progress, registry=registry, resumed=resumed) as bench:
        loop = RunLoop(bench, checkpoint_folder(store, out) / row.short, tuple(stages))
        asyncio.run(loop.work())
    return Outcome(store.queries.run(row.key), failures(store, row.id))


def checkpoint_folder(store: Store, out: str | Path | None) -> Path:
    """Where checkpoints go: ``out``, else ``agentr-out`` beside the database."""
    return Path(out) if out is not None else store.path.absolute().parent / "agentr-out"


@contextmanager
def working(
    store: Store,
    row: RunRow,
    config: RunConfig,
    *,
    progress: Progress | None,
    registry: Registry,
    resumed: bool = False,
) -> Iterator[Bench]:
    """A bench for work on a run; on leaving, the run is marked done, failed or interrupted, and observers are told."""
    store.writer.record_plugins(row.id, _provenance(config, registry))
    registry.notify(RunStarted(row.key, str(store.path), config.model_dump(mode="json"), resumed))

    def make_environment() -> AnyEnvironment:
        made: AnyEnvironment = registry.create("env", config.env.name, config.env.options)
        return made

    status: Literal["done", "failed", "interrupted"] = "failed"
    problem: str | None = None
    with StopSignal(lambda: store.writer.set_run_status(row.id, "interrupted")) as stopped:
        pool = EnvironmentPool(make_environment, limit=os.cpu_count() or 1)
        shelf = Shelf(make_environment, limit=config.concurrency)
        try:
            yield Bench(store, row, config, registry, progress or Progress(quiet=True), pool, shelf, stopped)
            status = "done"
        except (Interrupted, KeyboardInterrupt):
            status = "interrupted"
            raise
        except BaseException as error:
            problem = f"{type(error).__name__}: {error}"
            raise
        finally:
            shelf.close()
            pool.close()
            store.writer.set_run_status(row.id, status, error=problem)
            registry.notify(RunFinished(row.key, status))


def chosen_plugins(config: RunConfig) -> Iterator[tuple[Kind, Plugin]]:
    """The plugins of a run; one without training has no trainer."""
    yield from (("env", config.env), ("policy", config.policy), ("searcher", config.searcher))
    yield "critic", config.critic
    if config.trainer.name != NO_TRAINER:
        yield "trainer", config.trainer


def check_plugins(config: RunConfig, registry: Registry) -> None:
    """Raise at once for a plugin that does not exist, lacks a package, or has wrong options."""
    for kind, plugin in chosen_plugins(config):
        registry.require(kind, plugin.name)
        registry.validate(kind, plugin.name, plugin.options)


def _provenance(config: RunConfig, registry: Registry) -> list[PluginRow]:
    plugins = dict(chosen_plugins(config))
    rows = registry.provenance([(kind, plugin.name) for kind, plugin in plugins.items()])
    return [
        PluginRow(
            kind=row["kind"],
            name=row["name"],
            distribution=row["distribution"],
            version=row["version"],
            target=registry.spec(row["kind"], row["name"]).target,
            config=plugins[row["kind"]].options,
        )
        for row in rows
    ]


def make_policy(bench: Bench, model: str | None = None) -> AnyPolicy:
    """The run's policy, with ``model`` in place of the configured one where given."""
    options = dict(bench.config.policy.options)
    if model is not None:
        options["model"] = model
    policy: AnyPolicy = bench.registry.create("policy", bench.config.policy.name, options)
    policy.bind(lambda: bench.registry.create("env", bench.config.env.name, bench.config.env.options))
    return policy


def make_critic(bench: Bench) -> AnyCritic:
    """The run's critic."""
    critic: AnyCritic = bench.registry.create("critic", bench.config.critic.name, bench.config.critic.options)
    return critic


class RunLoop:
    """The iterations of one run. ``out`` is the run's own folder for checkpoints."""

    def __init__(self, bench: Bench, out: Path, stages: tuple[StageName, ...]) -> None:
        self.bench, self.out, self.stages = bench, out, stages
        self._policy: AnyPolicy | None = None
        #: The checkpoint that acts now, and the one that the loaded policy is; None is the configured model.
        self._model: str | None = None
        self._loaded: str | None = None

    async def work(self) -> None:
        """All iterations, each stage unless it is done already."""
        try:
            if "evaluate" in self.stages:
                await self._stage("evaluate", BASELINE, self._evaluate)
            for iteration in range(1, self.bench.config.iterations + 1):
                await self._iterate(iteration)
        finally:
            await self._drop_policy()

    async def _iterate(self, iteration: int) -> None:
        work = {"search": self._search, "revise": self._revise, "train": self._train, "evaluate": self._evaluate}
        for stage in ALL_STAGES:
            if stage in self.stages:
                await self._stage(stage, iteration, work[stage])

    async def _stage(
        self, stage: StageName, iteration: int, work: Callable[[int], Awaitable[Mapping[str, float]]]
    ) -> None:
        """Do one stage and mark it done with its metrics; a stage that is done is left alone."""
        writer, run_id = self.bench.store.writer, self.bench.run.id
        self.bench.stop_here()
        self._model = self._model_for(stage, iteration)
        if writer.begin_stage(run_id, iteration, stage).status == "done":
            return
        metrics = await work(iteration)
        writer.finish_stage(run_id, iteration, stage, metrics)

    def _model_for(self, stage: StageName, iteration: int) -> str | None:
        """The checkpoint that acts in a stage: the newest one trained before it; None is the configured model."""
        newest = iteration if stage == "evaluate" else iteration - 1
        rows = self.bench.store.queries.checkpoints(self.bench.run.id)
        done = [row for row in rows if row.complete and row.iteration <= newest]
        return max(done, key=lambda row: (row.iteration, row.id)).path if done else None

    async def _actor(self) -> AnyPolicy:
        """The policy that acts now; a model of an earlier iteration is released first."""
        if self._policy is not None and self._loaded != self._model:
            await self._drop_policy()
        if self._policy is None:
            self._policy, self._loaded = make_policy(self.bench, self._model), self._model
        return self._policy

    async def _drop_policy(self) -> None:
        if self._policy is not None:
            await self._policy.close()
            self._policy = None
            gc.collect()

    async def _search(self, iteration: int) -> Mapping[str, float]:
        plugin = self.bench.config.searcher
        searcher = self.bench.registry.create("searcher", plugin.name, plugin.options)
        return await search(self.bench, await self._actor(), searcher, iteration)

    async def _revise(self, iteration: int) -> Mapping[str, float]:
        critic = make_critic(self.bench)
        try:
            return await revise(self.bench, await self._actor(), critic, iteration)
        finally:
            await critic.close()

    async def _train(self, iteration: int) -> Mapping[str, float]:
        plugin = self.bench.config.trainer
        if plugin.name == NO_TRAINER:
            return {}
        policy = await self._actor()
        start = trainable(policy, self.bench.config.policy.name)
        revision_set = open_set(self.bench, policy, make_critic(self.bench), iteration)
        await self._drop_policy()
        trainer = self.bench.registry.create("trainer", plugin.name, plugin.options)
        checkpoint = Checkpoint(model=start, base_model=start, iteration=iteration - 1)
        done = await train(
            self.bench, trainer, checkpoint, revision_set, iteration, self.out / f"iteration-{iteration}"
        )
        return done.metrics

    async def _evaluate(self, iteration: int) -> Mapping[str, float]:
        return await evaluate(self.bench, await self._actor(), iteration)


def failures(store: Store, run_id: int) -> int:
    """How many trees and episodes of a run failed."""
    trees = len(store.queries.trees(run_id, status="failed"))
    evals = store.queries.evals(run_id)
    return trees + sum(result.error is not None for row in evals for result in store.queries.eval_results(row.id))


def trainable(policy: AnyPolicy, name: str) -> str:
    """Where the policy's weights can be loaded from; :class:`UsageError` for one that cannot be trained."""
    if policy.weights is None:
        raise UsageError(
            f"the policy '{name}' has no weights to train; choose --policy transformers, or --trainer none"
        )
    return policy.weights
