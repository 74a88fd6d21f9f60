"""One run: iterations of search, revise, train and evaluate over one store (Agent-R sections 3.1 and 3.2).

    tasks --search--> trees --revise--> samples --collect--> dataset --train--> checkpoint --evaluate--> metrics

A stage is marked done in the store when it is complete: a run that is started again does what is missing, and ends
with the rows of the run that was never interrupted.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentr_core.branching import EnvironmentPool
from agentr_core.critic import AnyCritic
from agentr_core.environment import AnyEnvironment
from agentr_core.errors import AgentrError, Interrupted, UsageError
from agentr_core.hookspecs import RunFinished, RunStarted
from agentr_core.interrupt import StopSignal
from agentr_core.policy import AnyPolicy
from agentr_core.progress import Progress
from agentr_core.records import Checkpoint
from agentr_core.registry import Registry
from agentr_core.registry import registry as default_registry
from agentr_core.settings import RunConfig
from agentr_core.stages.bench import Bench, Shelf
from agentr_core.stages.evaluate import evaluate
from agentr_core.stages.revise import revise
from agentr_core.stages.search import search
from agentr_core.stages.train import train
from agentr_core.store import Store
from agentr_core.store.rows import RevisionSetRow, RunRow

#: The name of the trainer that trains nothing: every iteration goes on with the same policy.
NO_TRAINER = "none"
StageName = Literal["evaluate", "search", "revise", "train"]
ALL_STAGES: tuple[StageName, ...] = ("search", "revise", "train", "evaluate")
#: The row of things before the first iteration.
BASELINE = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended. ``failed`` counts the trees and episodes that raised; the rest went on without them."""

    run: str
    status: str
    failed: int


def run(
    config: RunConfig,
    *,
    db: str | Path = "agentr.db",
    out: str | Path | None = None,
    name: str | None = None,
    command: str = "run",
    stages: Sequence[StageName] = ALL_STAGES,
    progress: Progress | None = None,
    registry: Registry | None = None,
) -> Outcome:
    """Start a run and see it through; this is what ``agentr run`` calls.

    ``out`` is the folder of the checkpoints (by default ``agentr-out`` beside the database). Raises
    :class:`~agentr_core.errors.Interrupted` after Ctrl-C, with everything committed that was done.
    """
    from agentr_core.store import open_store

    registry = registry or default_registry()
    check_plugins(config, registry)
    with open_store(db) as store:
        row = store.writer.create_run(
            config.model_dump(mode="json"), config_hash=config.hash, command=command, name=name, seed=config.seed
        )
        return carry_on(store, row, config, out=out, stages=stages, progress=progress, registry=registry)


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
    progress = progress or Progress(quiet=True)
    store.writer.record_plugins(row.id, _provenance(config, registry))
    registry.notify(RunStarted(row.key, str(store.path), config.model_dump(mode="json"), resumed))
    folder = Path(out) if out is not None else Path(store.path).resolve().parent / "agentr-out"
    status: Literal["done", "failed", "interrupted"] = "failed"
    problem: str | None = None
    try:
        with StopSignal(lambda: store.writer.set_run_status(row.id, "interrupted")) as stopped:
            asyncio.run(_work(store, row, config, stages, folder / row.short, progress, registry, stopped))
        status = "done"
    except (Interrupted, KeyboardInterrupt):
        status = "interrupted"
        raise
    except BaseException as error:
        problem = f"{type(error).__name__}: {error}"
        raise
    finally:
        store.writer.set_run_status(row.id, status, error=problem)
        registry.notify(RunFinished(row.key, status))
    return Outcome(row.key, status, store.queries.failures(row.id))


def check_plugins(config: RunConfig, registry: Registry) -> None:
    """Raise at once for a plugin that does not exist, lacks a package, or has wrong options."""
    for kind, plugin in chosen_plugins(config):
        registry.require(kind, plugin.name)
        registry.validate(kind, plugin.name, plugin.options)


def chosen_plugins(config: RunConfig):  # type: ignore[no-untyped-def]
    """The plugins of a run, by kind."""
    yield "env", config.env
    yield "policy", config.policy
    yield "searcher", config.searcher
    yield "critic", config.critic
    if config.trainer.name != NO_TRAINER:
        yield "trainer", config.trainer
