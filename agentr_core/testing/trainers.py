"""The contract of a trainer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from agentr_core.config import content_hash
from agentr_core.errors import Interrupted, NothingToDo, UsageError
from agentr_core.metrics import mean
from agentr_core.records import Checkpoint, Example, Message, TrainingSet
from agentr_core.testing.contract import Contract, Unmet, require, same
from agentr_core.trainer import AnyTrainer, Report

_TAILS = ("Action: stop", "1234567890!?")
#: Losses that nothing but the rounding of arithmetic keeps apart.
ROUNDING = 1e-4


def toy_dataset(size: int = 64, *, tail: str = _TAILS[0]) -> TrainingSet:
    """Short conversations: two trained turns of the agent between untrained ones; ``tail`` is the last of those."""
    examples = tuple(
        Example(
            (
                Message("system", "You count."),
                Message("user", f"Count to {number % 8}."),
                Message("assistant", "Action: jump"),
                Message("user", "'jump' is not an action."),
                Message("assistant", "Thought: I count.\nAction: add 1", train=True),
                Message("user", "You are at 2."),
                Message("assistant", "Thought: Once more.\nAction: add 2", train=True),
                Message("user", "You are at 4."),
                Message("assistant", tail),
            ),
            "good",
        )
        for number in range(size)
    )
    return TrainingSet("toy", examples, content_hash([[turn.content for turn in each.messages] for each in examples]))


class TrainerContract(Contract):
    """Rules for the trainers that ``make`` makes, each starting from ``start`` with a toy dataset.

    ``make`` should train for ten steps or so at a rate at which something happens, and save now and then.
    """

    subject = "trainer"

    def __init__(self, make: Callable[[], AnyTrainer], start: Checkpoint | Callable[[], Checkpoint]) -> None:
        self._make, self._given = make, start

    def training_leaves_a_complete_checkpoint(self) -> str:
        """In the folder it was given, one iteration on, with its steps reported in order."""
        steps: list[int] = []

        def report(step: int, metrics: Mapping[str, float]) -> None:
            steps.append(step)
            require(
                all(isinstance(value, float | int) for value in metrics.values()), "numbers to be reported", metrics
            )

        with _folder() as out:
            made = self._train(out, report=report)
            require(made.path.exists() and out in (made.path, *made.path.parents), f"a model below {out}", made.model)
        same(self._start.base_model, made.base_model, "the base model")
        same(sorted(steps), steps, "the reported steps and the same in order")
        return f"{len(steps)} steps reported"

    def the_loss_falls(self) -> str:
        """Mean of the last quarter of the reported losses against the first quarter."""
        losses = self._losses(toy_dataset())
        quarter = max(1, len(losses) // 4)
        require(len(losses) > 1, "the loss to be reported more than once", losses)
        first, last = mean(losses[:quarter]), mean(losses[-quarter:])
        require(last < first, f"a loss below {first:.4f} at the end", f"{last:.4f}")
        return f"{first:.2f} to {last:.2f} in {len(losses)} reports"

    def turns_that_are_not_trained_have_no_effect(self) -> None:
        """Untrained text behind the last trained turn (nothing comes after it) changes no loss: it has no gradient."""
        one, other = (self._losses(toy_dataset(tail=tail)) for tail in _TAILS)
        same(len(one), len(other), "the number of reported losses")
        apart = max(abs(left - right) for left, right in zip(one, other, strict=True))
        require(apart < ROUNDING, "the same losses whatever an untrained turn says", f"losses {apart:.4f} apart")

    def the_same_seed_gives_the_same_metrics(self) -> None:
        """And training starts from the given model each time: the start is not changed."""
        same(self._metrics(), self._metrics(), "the metrics")

    def a_finished_training_that_is_resumed_is_not_done_again(self) -> None:
        """``resume`` on what is complete gives the same checkpoint, whose files are the same."""
        with _folder() as out:
            first = self._train(out)
            before = _contents(first.path)
            again = self._train(out, resume=True)
            same((first.model, first.step), (again.model, again.step), "the checkpoint")
            same(before, _contents(again.path), "the files of the model")

    def an_interrupted_training_that_is_resumed_ends_like_a_whole_one(self) -> None:
        """``report`` raises in the middle; after that the last loss and step are those of the straight run."""
        straight: list[float] = []
        with _folder() as out:
            whole = self._train(out, report=_keeping(straight))
        rest: list[float] = []
        with _folder() as out:
            try:
                self._train(out, report=_keeping([], stop_at=max(1, len(straight) // 2)))
            except Interrupted:
                resumed = self._train(out, resume=True, report=_keeping(rest))
            else:
                raise Unmet("what report raises to stop the training", "a training that went on")
        same(whole.step, resumed.step, "the last step")
        apart = abs(straight[-1] - rest[-1])
        require(apart < ROUNDING, f"{straight[-1]:.4f} as last loss", f"{rest[-1]:.4f}")

    def an_empty_dataset_is_nothing_to_do(self) -> None:
        """NothingToDo, and no model that looks trained."""
        with _folder() as out:
            try:
                self._make().train(TrainingSet("empty", (), "0"), self._start, out, resume=False)
            except NothingToDo:
                return
        raise Unmet("NothingToDo", "no error")

    def a_start_that_is_no_model_is_a_usage_error(self) -> None:
        """With a message."""
        with _folder() as out:
            start = self._start.model_copy(update={"model": str(out / "no-model")})
            try:
                self._make().train(toy_dataset(), start, out, resume=False)
            except UsageError as error:
                require(str(error), "a message", "an empty one")
                return
        raise Unmet("UsageError", "no error")

    @cached_property
    def _start(self) -> Checkpoint:
        return self._given if isinstance(self._given, Checkpoint) else self._given()

    def _train(self, out: Path, *, resume: bool = False, report: Report | None = None) -> Checkpoint:
        return self._make().train(toy_dataset(), self._start, out, resume=resume, seed=1, report=report)

    def _metrics(self) -> dict[str, float]:
        with _folder() as out:
            return self._train(out).metrics

    def _losses(self, dataset: TrainingSet) -> list[float]:
        losses: list[float] = []
        with _folder() as out:
            self._make().train(dataset, self._start, out, resume=False, seed=1, report=_keeping(losses))
        return losses


def _keeping(losses: list[float], *, stop_at: int | None = None) -> Report:
    """A report that keeps each loss and raises :class:`Interrupted` at the report numbered ``stop_at``."""

    def report(step: int, metrics: Mapping[str, float]) -> None:
        losses.extend([metrics["loss"]] if "loss" in metrics else [])
        if stop_at is not None and len(losses) >= stop_at:
            raise Interrupted("interrupted by the contract check")

    return report


def _contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): content_hash(path.read_bytes().hex()) for path in files}


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "out"
