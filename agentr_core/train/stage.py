"""The train stage: what the trainer reads, of a revision set (Agent-R equation 6) or of trees; the next checkpoint."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentr_core.errors import Interrupted, UsageError
from agentr_core.interfaces.trainer import AnyTrainer
from agentr_core.interfaces.training_sets import AnySet
from agentr_core.model_files import model_fingerprint
from agentr_core.records import Checkpoint
from agentr_core.registry.events import CheckpointSaved
from agentr_core.run_context import RunContext, StageResult
from agentr_core.seeds import derive_seed
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import Store
from agentr_core.store.checkpoints import TRAINING_SECONDS
from agentr_core.store.rows import CheckpointRow, DatasetRow, RevisionSetRow
from agentr_core.train.conversation_files import ReadConversations
from agentr_core.train.dataset_recipes import (
    DEMONSTRATIONS,
    TooLong,
    build_dataset,
    check_general,
    without_revisions,
)
from agentr_core.train.length_notes import epochs_warning, length_note, length_warning, selection_note, with_left_out
from agentr_core.train.mixture import named
from agentr_core.train.tree_sets import collect_tree_set, tree_set_note
from agentr_core.turns import Example, TrainingSet

#: The recipe of a dataset that was imported from a file.
IMPORTED = "imported"


def prepare(
    context: RunContext, trainer: AnyTrainer, start: Checkpoint, revision_set: RevisionSetRow | None, iteration: int
) -> tuple[DatasetRow, AnySet]:
    """Make and store the set that ``trainer`` reads; a trainer of trees that mixes conversations gets both.

    Raises :class:`~agentr_core.errors.NothingToDo` where there is nothing of the kind to train on.
    """

    def too_long(examples: Sequence[Example]) -> Mapping[int, int]:
        return trainer.too_long(examples, start)

    if trainer.reads == "conversations":
        return collect(context, revision_set, iteration, too_long)
    beside = collect(context, revision_set, iteration, too_long)[1] if trainer.mixes_conversations else None
    return collect_tree_set(context, trainer.reads, revision_set, iteration, start, beside)


def needs_revisions(config: RunConfig, trainer: AnyTrainer) -> bool:
    """Whether a training reads a revision set: not of demonstrations alone, nor of actions or values alone."""
    if trainer.reads == "preferences":
        return True
    conversations = trainer.reads == "conversations" or trainer.mixes_conversations
    return conversations and config.data.recipe != DEMONSTRATIONS


def collect(
    context: RunContext, revision_set: RevisionSetRow | None, iteration: int, too_long: TooLong = lambda _: {}
) -> tuple[DatasetRow, TrainingSet]:
    """Build and store the dataset of one iteration after the recipe of ``data``; what was skipped is said.

    Without a ``revision_set`` it is of demonstrations alone. What is ``too_long`` for the trainer is left out.
    """
    settings = context.config.data
    general, imported = _general(context), check_demonstrations(context)
    samples = list(context.store.revisions.samples(revision_set.id)) if revision_set else []
    dataset = build_dataset(
        samples,
        lambda sample: context.store.conversations.get(sample.conversation),
        settings,
        name=named(f"{settings.recipe}-{revision_set.critic}" if revision_set else settings.recipe, context.config),
        seed=derive_seed(context.config.seed, "dataset", iteration),
        general=general,
        env_of=_environments(context, iteration) if len(context.worlds) > 1 else None,
        weights=context.config.weights,
        demonstrations=context.store.datasets.load(imported.id).examples if imported else (),
        too_long=too_long,
    )
    if revision_set and (why := without_revisions(settings.recipe, samples, revision_set.critic)):
        context.progress.say(f"warning: no revision is trained on: {why}")
    if len(context.worlds) > 1:
        taken = {example.origin.get("env") for example in dataset.examples}
        for name in [name for name in context.config.trained_environments if name not in taken]:
            why = "no demonstration is of it" if revision_set is None else "its trees brought no conversation"
            context.progress.say(f"warning: nothing of '{name}' is trained on: {why}")
    row = context.store.datasets.save(
        context.run.id,
        iteration,
        dataset.name,
        dataset.examples,
        content_hash=dataset.content_hash,
        recipe=settings.recipe,
        set_id=revision_set.id if revision_set else None,
        config={
            **settings.model_dump(mode="json"),
            **({"demonstrations": imported.id} if imported else {}),
            **({"general_read": general.as_dict()} if general else {}),
            "selection": dict(dataset.selection),
        },
    )
    return row, dataset


def _environments(context: RunContext, iteration: int) -> dict[int, str]:
    """Of which environment each tree of an iteration is."""
    return {tree.id: tree.env for tree in context.store.trees.select(context.run.id, iteration=iteration)}


def check_demonstrations(context: RunContext, store: Store | None = None) -> DatasetRow | None:
    """The imported dataset that ``data`` asks for; None where it asks for none.

    One that is named by its number is looked for in ``store``, where that is another than the context's. Raises
    :class:`~agentr_core.errors.UsageError`, which names the setting, where there is no such dataset.
    """
    settings, datasets = context.config.data, context.store.datasets
    if settings.demonstrations is None:
        if settings.recipe != DEMONSTRATIONS:
            return None
        if own := [row for row in datasets.select(context.run.id) if row.recipe == IMPORTED]:
            return own[-1]
        raise UsageError(
            "data.demonstrations: the recipe demonstrations needs the number of an imported dataset, since this run "
            "has none of its own; make one with: agentr datasets import"
        )
    try:
        row = (store.datasets if store else datasets).get(settings.demonstrations)
    except UsageError as error:
        raise UsageError(f"data.demonstrations: {error}") from None
    if row.recipe != IMPORTED:
        raise UsageError(f"data.demonstrations: dataset {row.id} was made by the recipe '{row.recipe}', not imported")
    return row


def _general(context: RunContext) -> ReadConversations | None:
    """The general conversations that the dataset is to draw from, where it is to draw any."""
    settings = context.config.data
    if settings.eta >= 1.0:
        if settings.general is not None:
            context.progress.say(f"general data: '{settings.general}' is not used, since data.eta is 1")
        return None
    general = check_general(settings)
    if general is not None and (told := general.describe()):
        context.progress.say(f"general data: {told}")
    return general


async def train_checkpoint(
    context: RunContext,
    trainer: AnyTrainer,
    start: Checkpoint,
    dataset_row: DatasetRow,
    dataset: AnySet,
    iteration: int,
    out: Path,
    stage: str = "train",
) -> StageResult:
    """Train ``start`` on ``dataset``; what is in ``out`` already is gone on with, and a finished training is kept.

    ``stage`` is what its metrics are kept under: a training beside the run has a name of its own, and so a curve.
    """
    row = context.store.checkpoints.open(
        context.run.id,
        iteration,
        dataset_id=dataset_row.id,
        trainer=context.config.trainer_at(iteration).name,
        base_model=start.base_model,
        start_model=start.model,
        path=str(out / "model"),
        config=training_identity(context, start, iteration),
    )
    if row.complete:
        return StageResult(row.metrics, row.id, _account(dataset, row.metrics))
    with context.progress.stage(f"iter {iteration} train", len(dataset), "rows") as bar:
        line = _Line(context, trainer, context.config.trainer_at(iteration).name, dataset)

        def report(step: int, metrics: Mapping[str, float]) -> None:
            """Called in the trainer's thread; the store may be used from any."""
            context.store.runs.save_metrics(context.run.id, iteration, stage, step, metrics)
            share = metrics.get("progress", 0.0)
            bar.advance(int(share * len(dataset)) - bar.done, line.after(metrics))
            if context.stopped():
                raise Interrupted(f"interrupted; {context.advice}")

        seed = derive_seed(context.config.seed, "train", iteration) % 2**31
        with _timed(context.store, row) as seconds:
            checkpoint = await asyncio.to_thread(
                trainer.train, dataset, start, out, resume=True, seed=seed, report=report
            )
        bar.advance(len(dataset) - bar.done, line.after(checkpoint.metrics))
    for warning in _ended_early(checkpoint):
        context.progress.say(f"warning: {warning}")
    made = {**with_left_out(checkpoint.metrics, dataset.selection), TRAINING_SECONDS: seconds()}
    context.store.checkpoints.finish(row.id, step=checkpoint.step, metrics=made)
    context.registry.notify(CheckpointSaved(context.run.key, iteration, checkpoint.model, made))
    return StageResult(made, row.id, _account(dataset, made))


@contextmanager
def _timed(store: Store, row: CheckpointRow) -> Iterator[Callable[[], float]]:
    """Seconds of training so far, those of earlier tries too; kept where this one does not come to its end."""
    began, before = time.perf_counter(), float(row.metrics.get(TRAINING_SECONDS, 0.0))

    def seconds() -> float:
        return before + time.perf_counter() - began

    try:
        yield seconds
    except BaseException:
        store.checkpoints.save_metrics(row.id, {TRAINING_SECONDS: seconds()})
        raise


def _ended_early(checkpoint: Checkpoint) -> Iterator[str]:
    """A sentence for each limit of the trainer that ended the training (metrics ``ended_...``)."""
    for name, value in checkpoint.metrics.items():
        if name.startswith("ended_") and value:
            yield f"the training ended early, at step {checkpoint.step} ({name}); docs/trainers.md says by which limit"


def _account(dataset: AnySet, metrics: Mapping[str, float]) -> dict[str, int]:
    if not isinstance(dataset, TrainingSet):
        return {}
    lengths = {name: int(metrics[name]) for name in ("dropped", "shortened") if name in metrics}
    left = {name: dataset.selection.get(name, 0) for name in ("equal", "over_caps")}
    return {"conversations": len(dataset.examples) + dataset.selection.get("dropped", 0), **lengths, **left}


def training_identity(context: RunContext, start: Checkpoint, iteration: int) -> dict[str, Any]:
    """What tells trainings on one dataset of an iteration apart.

    The start is what its files are, wherever they lie; a hub id or short name stands for itself.
    """
    identity = {
        "trainer": context.config.trainer_at(iteration).without_place().model_dump(mode="json"),
        "start": model_fingerprint(start.model) or start.model,
        "seed": context.config.seed,
    }
    return {**identity, "template_options": start.template_options} if start.template_options else identity


@dataclass(slots=True)
class _Line:
    """What the stage's line says: conversations left out or shortened, as the trainer tells of them, and the loss."""

    context: RunContext
    trainer: AnyTrainer
    name: str
    dataset: AnySet
    losses: list[float] = field(default_factory=list)
    lengths: str = ""
    warned: set[str] = field(default_factory=set)

    def after(self, metrics: Mapping[str, float]) -> str:
        """The line after a report or at the end; a warning is said once, on a line of its own."""
        if "loss" in metrics:
            self.losses.append(metrics["loss"])
        metrics = with_left_out(metrics, self.dataset.selection)
        if "dropped" in metrics:
            eta, setting = self.context.config.data.eta, self._setting()
            self.lengths = length_note(metrics, setting, eta)
            self._warn("length", length_warning(metrics, setting))
        self._warn("epochs", epochs_warning(metrics, self.name))
        loss = f"loss {self.losses[0]:.2f} → {self.losses[-1]:.2f}" if self.losses else ""
        note = selection_note if isinstance(self.dataset, TrainingSet) else tree_set_note
        return " · ".join(part for part in (note(self.dataset.selection), self.lengths, loss) if part)

    def _warn(self, of: str, warning: str | None) -> None:
        """Say a warning, unless there was one ``of`` the same already: what is known changes little on the way."""
        if warning is not None and of not in self.warned:
            self.context.progress.say(f"warning: {warning}")
            self.warned.add(of)

    def _setting(self) -> tuple[str, int | None]:
        """The setting that bounds the length of conversations, as it is typed, and its value."""
        return f"{self.name}.max_length", getattr(self.trainer.config, "max_length", None)
