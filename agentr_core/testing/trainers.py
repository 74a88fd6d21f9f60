"""The contract of a trainer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import get_args

from agentr_core.errors import Interrupted, NothingToDo, UsageError
from agentr_core.evaluate.metrics import mean
from agentr_core.hashing import content_hash
from agentr_core.interfaces.trainer import AnyTrainer, Report
from agentr_core.interfaces.training_sets import AnySet, Reads
from agentr_core.records import Checkpoint
from agentr_core.testing.contract import Contract, Unmet, require, same
from agentr_core.testing.toy_sets import NOTHING_BEHIND, TAILS, toy_set

#: Losses that nothing but the rounding of arithmetic keeps apart.
ROUNDING = 1e-4
NO_LOSS = "no loss reported"


class TrainerContract(Contract):
    """Rules for the trainers that ``make`` makes, each starting from ``start`` with a toy set of what it reads.

    ``make`` should train for ten steps or so at a rate at which something happens, and save now and then.
    """

    subject = "trainer"

    def __init__(self, make: Callable[[], AnyTrainer], start: Checkpoint | Callable[[], Checkpoint]) -> None:
        self._make, self._given = make, start

    def training_leaves_a_complete_checkpoint(self) -> str:
        """In the folder it was given, with its steps reported in order."""
        made, steps = self._whole.checkpoint, self._whole.steps
        require(self._whole.inside, "a model below the folder it was given", made.model)
        same(self._start.base_model, made.base_model, "the base model")
        same(sorted(steps), steps, "the reported steps and the same in order")
        return f"{len(steps)} steps reported"

    def the_loss_falls(self) -> str:
        """Mean of the last quarter of the reported losses against the first quarter."""
        losses = self._whole.losses
        if not losses:
            return NO_LOSS
        require(len(losses) > 1, "the loss to be reported more than once", losses)
        quarter = max(1, len(losses) // 4)
        first, last = mean(losses[:quarter]), mean(losses[-quarter:])
        require(last < first, f"a loss below {first:.4f} at the end", f"{last:.4f}")
        return f"{first:.2f} to {last:.2f} in {len(losses)} reports"

    def turns_that_are_not_trained_have_no_effect(self) -> str:
        """Untrained text behind the last trained turn (nothing comes after it) changes no loss: it has no gradient."""
        if not self._whole.losses:
            return NO_LOSS
        if self._reads in NOTHING_BEHIND:
            return f"nothing stands behind what is trained of {self._reads}"
        with _folder() as out:
            changed = _Training()
            self._train(out, toy_set(self._reads, tail=TAILS[1]), report=changed)
        one, other = self._whole.losses, changed.losses
        same(len(one), len(other), "the number of reported losses")
        apart = max(abs(left - right) for left, right in zip(one, other, strict=True))
        require(apart < ROUNDING, "the same losses whatever an untrained turn says", f"losses {apart:.4f} apart")
        return ""

    def the_same_seed_gives_the_same_metrics(self) -> None:
        """And training starts from the given model each time: the start is not changed."""
        with _folder() as out:
            same(self._whole.checkpoint.metrics, self._train(out).metrics, "the metrics")

    def a_finished_training_that_is_resumed_is_not_done_again(self) -> None:
        """``resume`` on what is complete gives the same checkpoint, whose files are the same."""
        with _folder() as out:
            first = self._train(out)
            before = _contents(first.path)
            again = self._train(out, resume=True)
            same((first.model, first.step), (again.model, again.step), "the checkpoint")
            same(before, _contents(again.path), "the files of the model")

    def an_interrupted_training_that_is_resumed_ends_like_a_whole_one(self) -> str:
        """``report`` raises in the middle; after that the last loss and step are those of the straight run."""
        whole, rest = self._whole, _Training()
        if not whole.steps:
            return "nothing reported that could stop it"
        with _folder() as out:
            try:
                self._train(out, report=_Training(stop_at=max(1, len(whole.steps) // 2)))
            except Interrupted:
                resumed = self._train(out, resume=True, report=rest)
            else:
                raise Unmet("what report raises to stop the training", "a training that went on")
        same(whole.checkpoint.step, resumed.step, "the last step")
        for before, after in zip(whole.losses[-1:], rest.losses[-1:], strict=True):
            require(abs(before - after) < ROUNDING, f"{before:.4f} as last loss", f"{after:.4f}")
        return f"interrupted at report {len(whole.steps) // 2} of {len(whole.steps)}"

    def an_empty_dataset_is_nothing_to_do(self) -> None:
        """NothingToDo, and no model that looks trained."""
        with _folder() as out:
            try:
                self._make().train(toy_set(self._reads, 0), self._start, out, resume=False)
            except NothingToDo:
                return
        raise Unmet("NothingToDo", "no error")

    def a_start_that_is_no_model_is_a_usage_error(self) -> None:
        """With a message."""
        with _folder() as out:
            start = self._start.model_copy(update={"model": str(out / "no-model")})
            try:
                self._make().train(toy_set(self._reads), start, out, resume=False)
            except UsageError as error:
                require(str(error), "a message", "an empty one")
                return
        raise Unmet("UsageError", "no error")

    @cached_property
    def _reads(self) -> Reads:
        """What the trainer reads, and is given here."""
        reads = self._make().reads
        require(reads in get_args(Reads), f"one of {', '.join(get_args(Reads))} as what it reads", repr(reads))
        return reads

    @cached_property
    def _start(self) -> Checkpoint:
        return self._given if isinstance(self._given, Checkpoint) else self._given()

    @cached_property
    def _whole(self) -> _Training:
        """A training from start to end, done once for all rules that look at one."""
        training = _Training()
        with _folder() as out:
            training.checkpoint = self._train(out, report=training)
            path = training.checkpoint.path
            training.inside = path.exists() and out in (path, *path.parents)
        return training

    def _train(
        self, out: Path, dataset: AnySet | None = None, *, resume: bool = False, report: Report | None = None
    ) -> Checkpoint:
        given = toy_set(self._reads) if dataset is None else dataset
        return self._make().train(given, self._start, out, resume=resume, seed=1, report=report)


@dataclass
class _Training:
    """What a training reports; raises :class:`Interrupted` at the report numbered ``stop_at``."""

    stop_at: int | None = None
    steps: list[int] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    checkpoint: Checkpoint = field(init=False)
    inside: bool = False

    def __call__(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            require(isinstance(value, float | int), f"a number as {name}", repr(value))
        self.steps.append(step)
        self.losses.extend([metrics["loss"]] if "loss" in metrics else [])
        if self.stop_at is not None and len(self.steps) >= self.stop_at:
            raise Interrupted("interrupted by the contract check")


def _contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): content_hash(path.read_bytes().hex()) for path in files}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "out"
