"""The critic ``progress``: a step is bad where a value model expects less after it than before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from agentr_core import (
    AnyPolicy,
    CritiqueContext,
    Label,
    PluginConfig,
    PolicyFailure,
    StepwiseCritic,
    Trajectory,
    UsageError,
    Verdict,
    boundary,
    create,
)
from agentr_value.config import ProgressConfig
from agentr_value.question import NO, YES, asked, probability


class ProgressCritic(StepwiseCritic[ProgressConfig]):
    """Asks a value model about the states of an attempt; each is asked about once, before and after a step alike."""

    config_class: ClassVar[type[PluginConfig]] = ProgressConfig

    def __init__(self, config: ProgressConfig) -> None:
        super().__init__(config)
        self._model: AnyPolicy | None = None
        self._turn = asyncio.Lock()

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """Values of the states around all ``steps``, and what they say of each."""
        model = await self._ready(context)
        states = sorted({place for step in steps for place in (step - 1, step)})
        values = await asyncio.gather(*(self._value(model, trajectory, place) for place in states))
        known = dict(zip(states, values, strict=True))
        return [self._verdict(step, known[step - 1], known[step]) for step in steps]

    def _verdict(self, step: int, before: float | None, after: float | None) -> Verdict:
        if before is None or after is None:
            reason = "the attempt does not fit the value model's context"
            return Verdict(step=step, label="uncertain", rationale=reason, readable=False)
        label: Label = "bad" if after < before - self.config.delta else "good"
        told = f"value {before:.3f} before, {after:.3f} after"
        return Verdict(step=step, label=label, rationale=told, value=after)

    async def _value(self, model: AnyPolicy, trajectory: Trajectory, place: int) -> float | None:
        """What the state after so many steps is worth; None where it cannot be asked about."""
        messages = (*trajectory.head, *trajectory.messages()[len(trajectory.head) :][: 2 * place])
        try:
            yes, no = [await model.score(asked(messages), word) for word in (YES, NO)]
        except PolicyFailure:
            return None
        return probability(yes[0], no[0])

    async def _ready(self, context: CritiqueContext) -> AnyPolicy:
        """The policy that reads the value model, made when it is first needed."""
        async with self._turn:  # many trees are judged at once
            if self._model is None:
                if not self.config.policy_options.get("model"):
                    raise UsageError(
                        "progress.model: name a checkpoint of the trainer 'value' (agentr train --run RUN --trainer "
                        "value makes one)"
                    )
                self._model = create("policy", self.config.policy, **self.config.policy_options)
                context.prepare(self._model)
                with boundary(PolicyFailure, f"the value model '{self._model.model}' did not get ready"):
                    await self._model.ready()
            return self._model

    async def close(self) -> None:
        """Release the value model."""
        if self._model is not None:
            await self._model.close()
            self._model = None
