"""The train stage: a dataset out of a revision set (Agent-R equation 6), and the next checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentr_core.errors import Interrupted
from agentr_core.interfaces.trainer import AnyTrainer
from agentr_core.records import Checkpoint, TrainingSet
from agentr_core.registry.events import CheckpointSaved
from agentr_core.run_context import RunContext, StageResult
from agentr_core.seeds import derive_seed
from agentr_core.store.rows import DatasetRow, RevisionSetRow
from agentr_core.train.recipes import build_dataset


def collect(context: RunContext, revision_set: RevisionSetRow, iteration: int) -> tuple[DatasetRow, TrainingSet]:
    """Build and store the dataset of one iteration after the recipe of ``data``."""
    settings = context.config.data
    dataset = build_dataset(
        context.store.revisions.samples(revision_set.id),
        lambda sample: context.store.conversations.get(sample.conversation),
        settings,
        name=f"{settings.recipe}-{revision_set.critic}",
        seed=derive_seed(context.config.seed, "dataset", iteration),
    )
    row = context.store.datasets.save(
        context.run.id,
        iteration,
        dataset.name,
        dataset.examples,
        content_hash=dataset.content_hash,
        recipe=settings.recipe,
        set_id=revision_set.id,
        config=settings.model_dump(mode="json"),
    )
    return row, dataset


async def train_checkpoint(
    context: RunContext,
    trainer: AnyTrainer,
    start: Checkpoint,
    dataset_row: DatasetRow,
    dataset: TrainingSet,
    iteration: int,
    out: Path,
) -> StageResult:
    """Train ``start`` on ``dataset``; what is in ``out`` already is gone on with, and a finished training is kept."""
    row = context.store.checkpoints.open(
        context.run.id,
        iteration,
        dataset_id=dataset_row.id,
        trainer=context.config.trainer.name,
        base_model=start.base_model,
        start_model=start.model,
        path=str(out / "model"),
        config=training_identity(context, start),
    )
    if row.complete:
        return StageResult(row.metrics, row.id)
    with context.progress.stage(f"iter {iteration} train", len(dataset.examples), "rows") as bar:
        losses: list[float] = []

        def report(step: int, metrics: Mapping[str, float]) -> None:
            """Called in the trainer's thread; the store may be used from any."""
            context.store.runs.save_metrics(context.run.id, iteration, "train", step, metrics)
            if "loss" in metrics:
                losses.append(metrics["loss"])
            share = metrics.get("progress", 0.0)
            bar.advance(int(share * len(dataset.examples)) - bar.done, _losses(losses))
            if context.stopped():
                raise Interrupted(f"interrupted; {context.advice}")

        seed = derive_seed(context.config.seed, "train", iteration) % 2**31
        checkpoint = await asyncio.to_thread(trainer.train, dataset, start, out, resume=True, seed=seed, report=report)
        bar.advance(len(dataset.examples) - bar.done, _losses(losses))
    context.store.checkpoints.finish(row.id, step=checkpoint.step, metrics=checkpoint.metrics)
    context.registry.notify(CheckpointSaved(context.run.key, iteration, checkpoint.model, checkpoint.metrics))
    return StageResult(checkpoint.metrics, row.id)


def training_identity(context: RunContext, start: Checkpoint) -> dict[str, Any]:
    """What tells trainings on one dataset apart."""
    return {
        "trainer": context.config.trainer.model_dump(mode="json"),
        "start": context.store.checkpoints.kept_model(start.model),
        "seed": context.config.seed,
    }


def _losses(losses: list[float]) -> str:
    return f"loss {losses[0]:.2f} → {losses[-1]:.2f}" if losses else ""
