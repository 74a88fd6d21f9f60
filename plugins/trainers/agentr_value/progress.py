"""The critic ``progress``: a step is bad where a value model expects less after it than before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar

from agentr_training.value_model import ValueModel

from agentr_core import (
    AnyPolicy,
    CritiqueContext,
    Label,
    PluginConfig,
    StepwiseCritic,
    Trajectory,
    Verdict,
)
from agentr_value.config import ProgressConfig


class ProgressCritic(StepwiseCritic[ProgressConfig]):
    """Asks a value model about the states of an attempt; each is asked about once, before and after a step alike."""

    config_class: ClassVar[type[PluginConfig]] = ProgressConfig

    def __init__(self, config: ProgressConfig) -> None:
        super().__init__(config)
        self._model: ValueModel | None = None

    def check(self) -> None:
        """See :meth:`agentr_core.Critic.check`: the value model is named and there."""
        self._made(lambda policy: None).check()

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """Values of the states around all ``steps``, and what they say of each."""
        model = self._asking(context)
        states = sorted({place for step in steps for place in (step - 1, step)})
        values = await asyncio.gather(*(self._value(model, trajectory, place, context) for place in states))
        known = dict(zip(states, values, strict=True))
        return [self._verdict(step, known[step - 1], known[step]) for step in steps]

    def _verdict(self, step: int, before: float | None, after: float | None) -> Verdict:
        if before is None or after is None:
            reason = "the attempt does not fit the value model's context"
            return Verdict(step=step, label="uncertain", rationale=reason, readable=False)
        label: Label = "bad" if after < before - self.config.delta else "good"
        told = f"value {before:.3f} before, {after:.3f} after"
        return Verdict(step=step, label=label, rationale=told, value=after)

    async def _value(
        self, model: ValueModel, trajectory: Trajectory, place: int, context: CritiqueContext
    ) -> float | None:
        """What the state after so many steps is worth; None where it cannot be asked about."""
        said = trajectory.messages()[len(trajectory.head) :][: 2 * place]
        return await model.value((*trajectory.head, *said), context.count)

    def _asking(self, context: CritiqueContext) -> ValueModel:
        """The value model, which is loaded when it is first asked."""
        if self._model is None:
            self._model = self._made(context.prepare)
        return self._model

    def _made(self, prepare: Callable[[AnyPolicy], None]) -> ValueModel:
        config = self.config
        return ValueModel(config.policy, config.policy_options, setting="progress.model", prepare=prepare)

    async def close(self) -> None:
        """Release the value model."""
        if self._model is not None:
            await self._model.close()
