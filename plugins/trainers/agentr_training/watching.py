"""What trainers of transformers are given besides rows: an order that is kept, sums over all processes, a watcher."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from torch.utils.data import SequentialSampler
from trl.models import prepare_deepspeed

from agentr_core import AgentrError, Report

#: What is passed on of a step, where the trainer logs it.
_PASSED = ("loss", "grad_norm", "learning_rate", "mean_token_accuracy")


class InOrder:
    """Mixed into a trainer: it goes through its rows as they lie, which a training that goes on can count off."""

    train_dataset: Any
    accelerator: Any
    args: Any
    model: Any
    is_deepspeed_enabled: bool

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Warm-up in whole steps, rounded down.

        transformers rounds up, and the first step of a warm-up has a rate of 0: a training of one step learnt nothing.
        """
        if 0 < self.args.warmup_steps < 1:
            self.args.warmup_steps = int(self.args.warmup_steps * num_training_steps)
        return super().create_scheduler(num_training_steps, optimizer)  # type: ignore[misc]

    def over_all(self, *parts: torch.Tensor) -> list[torch.Tensor]:
        """Sums over the batches of all processes, of numbers that each knows of its own. Every process must ask."""
        return list(self.accelerator.reduce(torch.stack([part.detach().float() for part in parts]), "sum"))

    def of_all(self, part: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
        """This process's loss such that the mean over processes is the sum of the parts, divided by ``whole``."""
        processes: int = self.accelerator.num_processes
        return part * processes / whole.clamp(min=1e-9)

    @contextmanager
    def placed(self) -> Iterator[Any]:
        """The model where numbers are computed, before the training itself has put it there.

        DeepSpeed has taken its parameters apart when it was read: an engine that trains nothing puts them together.
        """
        if self.is_deepspeed_enabled:
            yield prepare_deepspeed(self.model, self.accelerator)
            return
        before = next(self.model.parameters()).device
        if before != self.args.device:
            self.model.to(self.args.device)
        try:
            yield self.model
        finally:
            if before != self.args.device:
                self.model.to(before)


class Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """Stops a training that diverges, and passes what the trainer logs on to the core, also by ``names``."""

    def __init__(self, report: Report | None, epochs: float, names: tuple[str, ...] = ()) -> None:
        self._report, self._epochs, self._names = report, epochs, (*_PASSED, *names)

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Called by the trainer every ``log_steps`` steps."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise AgentrError(
                f"the training diverged: the loss is {logs['loss']} at step {state.global_step}; "
                "lower the trainer's learning_rate, or set its precision to fp32"
            )
        if self._report is not None and state.is_world_process_zero:
            metrics = {name: float(logs[name]) for name in self._names if name in logs}
            progress = state.global_step / max(1, state.max_steps)
            self._report(state.global_step, {**metrics, "epoch": progress * self._epochs, "progress": progress})

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """No checkpoint after the last step: a training that goes on from one would take a step too many."""
        if state.global_step >= state.max_steps:
            control.should_save = False
