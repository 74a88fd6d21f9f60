"""The train stage: a dataset out of a revision set (Agent-R equation 6), and the next checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentr_core.errors import Interrupted
from agentr_core.hookspecs import CheckpointSaved
from agentr_core.mixing import build_dataset
from agentr_core.records import Checkpoint, TrainingSet
from agentr_core.rng import derive_seed
from agentr_core.stages.bench import Bench, Made
from agentr_core.store.rows import DatasetRow, RevisionSetRow
from agentr_core.trainer import AnyTrainer


def collect(bench: Bench, revision_set: RevisionSetRow, iteration: int) -> tuple[DatasetRow, TrainingSet]:
    """Build and store the dataset of one iteration after the recipe of ``data``."""
    settings = bench.config.data
    dataset = build_dataset(
        bench.store.queries.samples(revision_set.id),
        lambda sample: bench.store.queries.get_conversation(sample.conversation),
        settings,
        name=f"{settings.recipe}-{revision_set.critic}",
        seed=derive_seed(bench.config.seed, "dataset", iteration),
    )
    row = bench.store.writer.save_dataset(
        bench.run.id,
        iteration,
        dataset.name,
        dataset.examples,
        content_hash=dataset.content_hash,
        recipe=settings.recipe,
        set_id=revision_set.id,
        config=settings.model_dump(mode="json"),
    )
    return row, dataset


async def train(
    bench: Bench,
    trainer: AnyTrainer,
    start: Checkpoint,
    dataset_row: DatasetRow,
    dataset: TrainingSet,
    iteration: int,
    out: Path,
) -> Made:
    """Train ``start`` on ``dataset``; what is in ``out`` already is gone on with, and a finished training is kept."""
    row = bench.store.writer.save_checkpoint(
        bench.run.id,
        iteration,
        dataset_id=dataset_row.id,
        trainer=bench.config.trainer.name,
        base_model=start.base_model,
        start_model=start.model,
        path=str(out / "model"),
        config=training_identity(bench, start),
    )
    if row.complete:
        return Made(row.metrics, row.id)
    with bench.progress.stage(f"iter {iteration} train", len(dataset.examples), "rows") as bar:
        losses: list[float] = []

        def report(step: int, metrics: Mapping[str, float]) -> None:
            """Called in the trainer's thread; the store may be used from any."""
            bench.store.writer.add_metrics(bench.run.id, iteration, "train", step, metrics)
            if "loss" in metrics:
                losses.append(metrics["loss"])
            share = metrics.get("progress", 0.0)
            bar.advance(int(share * len(dataset.examples)) - bar.done, _losses(losses))
            if bench.stopped():
                raise Interrupted(f"interrupted; {bench.advice}")

        seed = derive_seed(bench.config.seed, "train", iteration) % 2**31
        checkpoint = await asyncio.to_thread(trainer.train, dataset, start, out, resume=True, seed=seed, report=report)
        bar.advance(len(dataset.examples) - bar.done, _losses(losses))
    bench.store.writer.complete_checkpoint(row.id, step=checkpoint.step, metrics=checkpoint.metrics)
    bench.registry.notify(CheckpointSaved(bench.run.key, iteration, checkpoint.model, checkpoint.metrics))
    return Made(checkpoint.metrics, row.id)


def training_identity(bench: Bench, start: Checkpoint) -> dict[str, Any]:
    """What tells trainings on one dataset apart."""
    return {"trainer": bench.config.trainer.model_dump(mode="json"), "start": start.model, "seed": bench.config.seed}


def _losses(losses: list[float]) -> str:
    return f"loss {losses[0]:.2f} → {losses[-1]:.2f}" if losses else ""
