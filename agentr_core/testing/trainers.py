"""The contract of a trainer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from agentr_core.config import content_hash
from agentr_core.errors import UsageError
from agentr_core.records import Checkpoint, Example, Message, TrainingSet
from agentr_core.testing.contract import Contract, require, same
from agentr_core.trainer import AnyTrainer


def toy_dataset(size: int = 8) -> TrainingSet:
    """A few short conversations, the agent's turns trained."""
    examples = tuple(
        Example(
            (
                Message("system", "You count."),
                Message("user", f"Count to {number}."),
                Message("assistant", "Thought: I count.\nAction: add 1", train=True),
                Message("user", "You are at 2."),
                Message("assistant", f"Thought: Done.\nAction: stop at {number}", train=True),
            ),
            "good",
        )
        for number in range(size)
    )
    return TrainingSet("toy", examples, content_hash([[turn.content for turn in each.messages] for each in examples]))


class TrainerContract(Contract):
    """Rules for the trainers that ``make`` makes, each starting from ``start`` with a toy dataset."""

    subject = "trainer"

    def __init__(self, make: Callable[[], AnyTrainer], start: Checkpoint) -> None:
        self._make, self._start = make, start

    def training_leaves_a_complete_checkpoint(self) -> str:
        """In the folder it was given, one iteration on, with its steps reported in order."""
        steps: list[int] = []

        def report(step: int, metrics: Mapping[str, float]) -> None:
            steps.append(step)
            require(
                all(isinstance(value, float | int) for value in metrics.values()), "numbers to be reported", metrics
            )

        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            made = self._make().train(toy_dataset(), self._start, out, resume=False, seed=1, report=report)
            require(made.path.exists() and out in (made.path, *made.path.parents), f"a model below {out}", made.model)
        same(self._start.base_model, made.base_model, "the base model")
        same(sorted(steps), steps, "the reported steps and the same in order")
        return f"{len(steps)} steps reported"

    def the_same_seed_gives_the_same_metrics(self) -> None:
        """And training starts from the given model each time: the start is not changed."""
        same(self._metrics(), self._metrics(), "the metrics")

    def a_finished_training_that_is_resumed_is_not_done_again(self) -> None:
        """``resume`` on what is complete gives the same checkpoint."""
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "out"
            first = self._make().train(toy_dataset(), self._start, out, resume=False, seed=1)
            again = self._make().train(toy_dataset(), self._start, out, resume=True, seed=1)
        same((first.model, first.step), (again.model, again.step), "the checkpoint")

    def a_start_that_is_no_model_is_a_usage_error(self) -> None:
        """With a message."""
        with tempfile.TemporaryDirectory() as folder:
            start = self._start.model_copy(update={"model": str(Path(folder) / "no-model")})
            try:
                self._make().train(toy_dataset(), start, Path(folder) / "out", resume=False)
            except UsageError as error:
                require(str(error), "a message", "an empty one")
            else:
                require(False, "UsageError", "no error")

    def _metrics(self) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            return self._make().train(toy_dataset(), self._start, Path(folder) / "out", resume=False, seed=1).metrics
