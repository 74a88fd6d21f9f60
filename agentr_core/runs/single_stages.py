"""Single stages over the trees that a stored run has: another critic, another recipe, another model to measure.

What they make stands beside the run's own chain of checkpoints, and the run's own state is left as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.process.interrupt import StopSignal
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import registry as default_registry
from agentr_core.run_context import RunContext
from agentr_core.runs.iterations import BASELINE, RunLoop
from agentr_core.runs.provenance import check_environment, check_plugins, provenance
from agentr_core.runs.start_and_resume import checkpoint_folder, set_up, stored_config
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import RunRow, Store, open_store

ResultT = TypeVar("ResultT")


def stored_run(store: Store, reference: str, config: RunConfig) -> RunRow:
    """The run that a single stage works on. ``config`` must be about the same trees: the same environments."""
    row = store.runs.find(reference)
    stored, _, _ = stored_config(row)
    if [(one.name, one.options) for one in stored.env] != [(one.name, one.options) for one in config.env]:
        names = ", ".join(stored.environments)
        raise UsageError(f"run {row.short} is about another environment ({names}); its trees cannot be used")
    return row


def _check_worlds(context: RunContext) -> None:
    """Refuse environments of another version than those that the run was played in."""
    for name, world in context.worlds.items():
        check_environment(context.store, context.run, name, world.environment)


def revise_again(
    reference: str, config: RunConfig, *, db: str | Path, iteration: int | None, progress: Progress
) -> list[Mapping[str, float]]:
    """Another critic or other thresholds over the trees that a run has: no new search, sets side by side."""

    async def work(context: RunContext) -> list[Mapping[str, float]]:
        _check_worlds(context)
        loop = RunLoop(context, _folder(context, None))
        rows = context.store.trees.select(context.run.id, status="done")
        wanted = sorted({row.iteration for row in rows if iteration in (None, row.iteration)})
        if not wanted:
            raise NothingToDo(f"run {context.run.short} has no finished trees there; search first")
        return [await loop.revise_once(number) for number in wanted]

    return _on_stored_run(reference, config, db, progress, work)


def train_again(
    reference: str, config: RunConfig, *, db: str | Path, iteration: int, out: Path | None, progress: Progress
) -> Mapping[str, float]:
    """Train on what one critic made of one iteration's trees, with the recipe of ``config``.

    Raises :class:`~agentr_core.errors.UsageError` where ``config`` names no trainer.
    """
    if config.trainer_at(iteration).name == NO_TRAINER:
        raise UsageError(f"--trainer {NO_TRAINER} trains nothing; name one: --trainer sft")

    async def work(context: RunContext) -> Mapping[str, float]:
        return await RunLoop(context, _folder(context, out)).train_once(iteration)

    return _on_stored_run(reference, config, db, progress, work)


def evaluate_again(
    reference: str, config: RunConfig, *, db: str | Path, checkpoint: str | None, progress: Progress
) -> Mapping[str, float]:
    """Measure a checkpoint of a run (its id, or ``last``), or with None the model that the run started from."""

    async def work(context: RunContext) -> Mapping[str, float]:
        _check_worlds(context)
        model, iteration = find_checkpoint(context.store, context.run, checkpoint)
        return await RunLoop(context, _folder(context, None)).evaluate_once(iteration, model)

    return _on_stored_run(reference, config, db, progress, work)


def _on_stored_run(
    reference: str,
    config: RunConfig,
    db: str | Path,
    progress: Progress,
    work: Callable[[RunContext], Coroutine[Any, Any, ResultT]],
) -> ResultT:
    registry = default_registry()
    check_plugins(config, registry)
    with open_store(db) as store:
        row = stored_run(store, reference, config)
        if store.runs.is_alive(row):
            raise UsageError(f"run {row.short} is still being worked on (process {row.pid}); stop that one first")
        store.runs.save_plugins(row.id, provenance(config, registry))
        advice = "the same command goes on with the rest"
        kept = f"what is done is kept; {advice}"
        with StopSignal(advice) as stopped, set_up(store, row, config, progress, registry, stopped, kept) as context:
            return asyncio.run(work(context))


def _folder(context: RunContext, out: Path | None) -> Path:
    """The run's folder for checkpoints: below ``out``, else where the run itself puts them."""
    _, _, stored = stored_config(context.run)
    chosen = stored if out is None else context.store.checkpoints.kept(out)
    return checkpoint_folder(context.store, chosen) / context.run.short


def find_checkpoint(store: Store, run: RunRow, checkpoint: str | None) -> tuple[str | None, int]:
    """Path and iteration of a run's checkpoint (``last``: the one begun last); (None, 0) for what it started from."""
    if checkpoint is None:
        return None, BASELINE
    rows = [row for row in store.checkpoints.select(run.id) if row.complete]
    if not rows:
        raise NothingToDo(f"run {run.short} has no finished checkpoint; train first")
    if checkpoint == "last":
        row = max(rows, key=lambda row: row.id)
    else:
        found = [row for row in rows if str(row.id) == checkpoint]
        if not found:
            ids = ", ".join(str(row.id) for row in rows)
            raise UsageError(f"run {run.short} has no checkpoint {checkpoint}; it has: {ids}, or 'last'")
        row = found[0]
    return row.path, row.iteration
