"""The train stage: a dataset out of a revision set (Agent-R equation 6), and the next checkpoint."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from agentr_core.errors import Interrupted
from agentr_core.hookspecs import CheckpointSaved
from agentr_core.mixing import build_dataset
from agentr_core.records import Checkpoint, TrainingSet
from agentr_core.rng import derive_seed
from agentr_core.stages.bench import Bench
from agentr_core.store.rows import CheckpointRow, DatasetRow, RevisionSetRow
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
    bench: Bench, trainer: AnyTrainer, start: Checkpoint, revision_set: RevisionSetRow, iteration: int, out: Path
) -> Checkpoint:
    """Train ``start`` on the dataset of ``revision_set``; what is in ``out`` already is gone on with."""
    dataset_row, dataset = collect(bench, revision_set, iteration)
    row = bench.store.writer.save_checkpoint(
        bench.run.id,
        iteration,
        dataset_id=dataset_row.id,
        trainer=bench.config.trainer.name,
        base_model=start.base_model,
        start_model=start.model,
        path=str(out / "model"),
    )
    if row.complete:
        return _as_checkpoint(row)
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
                raise Interrupted(f"interrupted; go on with: agentr resume {bench.run.short}")

        seed = derive_seed(bench.config.seed, "train", iteration) % 2**31
        checkpoint = await asyncio.to_thread(trainer.train, dataset, start, out, resume=True, seed=seed, report=report)
        bar.advance(len(dataset.examples) - bar.done, _losses(losses))
    checkpoint = checkpoint.model_copy(update={"iteration": iteration, "base_model": start.base_model})
    bench.store.writer.complete_checkpoint(row.id, step=checkpoint.step, metrics=checkpoint.metrics)
    bench.registry.notify(CheckpointSaved(bench.run.key, iteration, checkpoint.model, checkpoint.metrics))
    return checkpoint


def _as_checkpoint(row: CheckpointRow) -> Checkpoint:
    return Checkpoint(
        model=row.path, base_model=row.base_model, iteration=row.iteration, step=row.step, metrics=row.metrics
    )


def _losses(losses: list[float]) -> str:
    return f"loss {losses[0]:.2f} → {losses[-1]:.2f}" if losses else ""
