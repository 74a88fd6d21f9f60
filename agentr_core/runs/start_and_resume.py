"""One run: iterations of search, revise, train and evaluate over one store (Agent-R sections 3.1 and 3.2).

    tasks --search--> trees --revise--> samples --collect--> dataset --train--> checkpoint --evaluate--> metrics

This is what starts, resumes and ends a run; the iterations themselves are in :mod:`agentr_core.runs.iterations`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from agentr_core.errors import Interrupted, NothingToDo, ResumeError, UsageError
from agentr_core.process.file_lock import held
from agentr_core.process.garbage import seldom_collecting
from agentr_core.process.interrupt import StopSignal
from agentr_core.process.progress import Progress
from agentr_core.registry.events import RunFinished, RunStarted
from agentr_core.registry.lookup import Registry
from agentr_core.registry.lookup import registry as default_registry
from agentr_core.run_context import RunContext, Shard
from agentr_core.runs.iterations import ALL_STAGES, RunLoop, StageName
from agentr_core.runs.provenance import check_plugins, check_versions, provenance
from agentr_core.runs.worlds import worlds_of
from agentr_core.settings.dotted import SOURCES
from agentr_core.settings.forecast import headline, plan_line
from agentr_core.settings.run_config import SAMPLERS, ChosenPlugin, RunConfig
from agentr_core.store import RunRow, Store, open_store
from agentr_core.store.runs import shared_key


@dataclass(frozen=True, slots=True)
class RunOutcome:
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
    sources: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    registry: Registry | None = None,
    shard: Shard | None = None,
    before: Callable[[Store, RunRow], None] = lambda store, row: None,
) -> RunOutcome:
    """Start a run and see it through; this is what ``agentr run`` calls.

    ``out`` is the folder of the checkpoints (by default ``agentr-out`` beside the database). ``sources``: where each
    setting came from (``Resolved.sources``), kept with the settings for those who look at the run. ``shard``: grow a
    part of the trees alone; parts in other databases are of the same run (``agentr db merge``). ``before`` is called
    with the run's row in the transaction that makes it: what it adds is there from the run's beginning. Raises
    :class:`~agentr_core.errors.Interrupted` after Ctrl-C, with everything committed that was done.
    """
    registry = registry or default_registry()
    check_plugins(config, registry)
    with open_store(db) as store:
        out = None if out is None else store.checkpoints.kept(out)
        stored = {**config.model_dump(mode="json"), "stages": list(stages), "out": out}
        if sources is not None:
            stored[SOURCES] = {key: source for key, source in sources.items() if source != "default"}
        key = None
        if shard is not None:
            _check_shared(config)
            stored, key = {**stored, "shard": str(shard)}, shared_key([config.hash, name, shard.of])
        with store.transaction():
            row = store.runs.create("run", stored, config_hash=config.hash, name=name, seed=config.seed, key=key)
            before(store, row)
        with only_worker(store, row):
            return carry_on(store, row, config, out=out, stages=stages, progress=progress, registry=registry)


def resume(
    reference: str,
    *,
    db: str | Path = "agentr.db",
    config: RunConfig | None = None,
    progress: Progress | None = None,
    registry: Registry | None = None,
    again: bool = False,
    executor: ChosenPlugin | None = None,
) -> RunOutcome:
    """Go on with a run: its key, the start or end of one, its name, or ``last``.

    Trees and episodes that failed in a stage that is not done are taken up again. With ``again`` those of stages that
    are done as well, and the stages that follow (``agentr retry``).

    ``config`` is what the caller asks for now; where it differs from the stored one,
    :class:`~agentr_core.errors.ResumeError` shows each difference. It is also raised where the environment or a plugin
    of the run has another version by now. The work may be done elsewhere than it was begun: ``executor`` says where,
    and ``config`` says it of training.
    """
    with open_store(db) as store:
        row = store.runs.find(reference)
        stored, stages, out = stored_config(row)
        if config is not None and (differences := stored.differences(config)):
            raise ResumeError(_differences(row, differences))
        if config is not None:
            stored = stored.placed_as(config)
        if executor is None and config is not None:
            executor = config.executor
        if executor is not None:
            stored = stored.model_copy(update={"executor": executor})
        registry = registry or default_registry()
        for file in stored.plugins:
            registry.add_file(file)
        check_plugins(stored, registry)
        check_versions(store, row, stored, registry)
        with only_worker(store, row):
            if again:
                reopen(store, row)
            store.runs.set_status(row.id, "running")
            return carry_on(
                store, row, stored, out=out, stages=stages, progress=progress, registry=registry, resumed=True
            )


def _check_shared(config: RunConfig) -> None:
    """The tasks of every iteration are known in every part."""
    others = [name for name in config.environments if config.search_of(name).sampler != SAMPLERS[0]]
    if config.iterations > 1 and others:
        raise UsageError(
            f"--shard: search.sampler '{config.search_of(others[0]).sampler}' goes by what all trees came to, and a "
            f"part has its own alone; take the sampler '{SAMPLERS[0]}', or --iterations 1"
        )


def reopen(store: Store, row: RunRow) -> None:
    """Let a run do again what failed, and all that was made of it: the stages from the first with failures on.

    Raises :class:`~agentr_core.errors.NothingToDo` where nothing failed.
    """
    stages = store.runs.stages(row.id)
    order = {(stage.iteration, stage.stage): number for number, stage in enumerate(stages)}
    broken = [order[stage.iteration, stage.stage] for stage in stages if stage.metrics.get("failed")]
    if not broken and all(stage.status == "done" for stage in stages):
        raise NothingToDo(f"nothing of run {row.short} failed; agentr runs show {row.short} tells how it went")
    for stage in stages[min(broken, default=len(stages)) :]:
        store.runs.reopen_stage(row.id, stage.iteration, stage.stage)


def stored_config(row: RunRow) -> tuple[RunConfig, Sequence[StageName], str | None]:
    """The configuration, stages and output folder that a run was started with."""
    values = dict(row.config)
    stages, out = values.pop("stages", ALL_STAGES), values.pop("out", None)
    for key in (SOURCES, "shard"):
        values.pop(key, None)
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


@contextmanager
def only_worker(store: Store, row: RunRow) -> Iterator[None]:
    """Work on a run that nobody else works on; :class:`UsageError` where somebody does."""
    with held(store.runs.lock_file(row)) as mine:
        if not mine:
            raise UsageError(f"run {row.short} is still being worked on (process {row.pid}); stop that one first")
        yield


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
) -> RunOutcome:
    """Do what is missing of a run, and mark how it ended; one that is refused before it begins leaves no row."""
    registry, progress = registry or default_registry(), progress or Progress(quiet=True)
    progress.say(f"run {row.short}  {headline(config, stages)}   {store.path}")
    progress.say(plan_line(config, stages) if not resumed else f"going on with {_what_is_done(store, row)}")
    progress.say()
    begun = resumed
    try:
        with working(store, row, config, progress=progress, registry=registry, resumed=resumed) as context:
            loop = RunLoop(context, checkpoint_folder(store, out) / row.short, tuple(stages))
            try:
                asyncio.run(loop.work())
            finally:
                begun = begun or loop.begun
    except Interrupted:
        raise
    except Exception:
        if not begun:
            store.runs.forget(row.id)
        raise
    return RunOutcome(store.runs.find(row.key), failures(store, row.id))


def _what_is_done(store: Store, row: RunRow) -> str:
    """Where a run stopped: its last stage, and the trees of it that are done or half grown."""
    stages = store.runs.stages(row.id)
    if not stages:
        return "the run from its start"
    last = max(stages, key=lambda stage: (stage.iteration, ALL_STAGES.index(cast(StageName, stage.stage))))
    where = f"iteration {last.iteration}, {last.stage}" if last.iteration else "the baseline's evaluation"
    if last.status == "done":
        return f"what comes after {where}"
    trees = store.trees.select(row.id, iteration=last.iteration) if last.stage == "search" else []
    if not trees:
        return where
    done = sum(tree.status == "done" for tree in trees)
    grown = [tree.simulations for tree in trees if tree.status == "running"]
    half = f" and {len(grown)} half grown (resumed at {_simulations(grown)})" if grown else ""
    return f"{where}: {done} of {len(trees)} trees done{half}"


def _simulations(grown: Sequence[int], shown: int = 6) -> str:
    """``simulations 3, 5, 1``; of many trees the range."""
    if len(grown) <= shown:
        return f"simulations {', '.join(map(str, grown))}"
    return f"simulations {min(grown)} to {max(grown)}"


def checkpoint_folder(store: Store, out: str | Path | None) -> Path:
    """Where checkpoints go: ``out``, as the store keeps it, else ``agentr-out``, beside the database."""
    return Path(store.checkpoints.found(str(out or "agentr-out")))


@contextmanager
def working(
    store: Store,
    row: RunRow,
    config: RunConfig,
    *,
    progress: Progress,
    registry: Registry,
    resumed: bool = False,
) -> Iterator[RunContext]:
    """Work on a run; on leaving, the run is marked done, failed or interrupted, and observers are told."""
    store.runs.save_plugins(row.id, provenance(config, registry))
    registry.notify(RunStarted(row.key, str(store.path), config.model_dump(mode="json"), resumed))
    status: Literal["done", "failed", "interrupted"] = "failed"
    problem: str | None = None
    try:
        advice = f"go on with: agentr resume {row.short}"
        with StopSignal(advice) as stopped, set_up(store, row, config, progress, registry, stopped, advice) as context:
            yield context
        status = "done"
    except (Interrupted, KeyboardInterrupt):
        status = "interrupted"
        raise
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
        raise
    finally:
        store.runs.set_status(row.id, status, error=problem)
        registry.notify(RunFinished(row.key, status))


@contextmanager
def set_up(
    store: Store,
    row: RunRow,
    config: RunConfig,
    progress: Progress,
    registry: Registry,
    stopped: Callable[[], bool],
    advice: str,
) -> Iterator[RunContext]:
    """A context with environments of its own, which are closed on leaving; the run's row is left alone."""
    worlds = worlds_of(config, registry)
    try:
        with seldom_collecting():
            shard = Shard.parse(row.config["shard"]) if "shard" in row.config else None
            yield RunContext(store, row, config, registry, progress, worlds, stopped, advice, shard=shard)
    finally:
        worlds.close()


def failures(store: Store, run_id: int) -> int:
    """How many trees (in search or in revision) and episodes of a run failed."""
    trees = len(store.trees.select(run_id, status="failed"))
    revised = sum(int(row.metrics.get("failed", 0)) for row in store.revisions.select(run_id))
    evaluations = store.evaluations.select(run_id)
    episodes = [result for row in evaluations for result in store.evaluations.results(row.id)]
    return trees + revised + sum(result.error is not None for result in episodes)
