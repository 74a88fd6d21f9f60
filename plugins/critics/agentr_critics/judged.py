"""Critics that ask a model about each step: the acting one (Agent-R), or another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agentr_core import (
    AnyPolicy,
    Completion,
    CritiqueContext,
    Message,
    PluginConfig,
    SamplingParams,
    StepwiseCritic,
    Trajectory,
    Verdict,
    create,
)
from agentr_critics.config import ActorConfig, JudgeConfig
from agentr_critics.prompts import judge_prompt, parse_label, vote


def read_verdict(step: int, answers: Sequence[Completion]) -> Verdict:
    """The verdict of one or several answers; the first answer gives the reasons."""
    label = vote([parse_label(answer.text) for answer in answers])
    return Verdict(step=step, label=label, rationale=answers[0].text if answers else "")


class ActorCritic(StepwiseCritic[ActorConfig]):
    """The acting model judges its own steps (Agent-R section 3.1, model-guided critique)."""

    config_class: ClassVar[type[PluginConfig]] = ActorConfig
    uses_actor: ClassVar[bool] = True

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """Ask about all ``steps`` at once."""
        prompts = [judge_prompt(trajectory, step, context.domain) for step in steps]
        params = SamplingParams(temperature=self.config.temperature, max_tokens=self.config.max_tokens)
        answers = await self._ask(prompts, params, context)
        return [read_verdict(step, given) for step, given in zip(steps, answers, strict=True)]

    async def _ask(
        self, prompts: Sequence[Sequence[Message]], params: SamplingParams, context: CritiqueContext
    ) -> list[list[Completion]]:
        return await context.ask(prompts, params, n=self.config.votes)


class JudgeCritic(ActorCritic):
    """Another policy judges: ``-o judge.policy=transformers -o judge.options={model="smollm2-135m"}``."""

    config_class: ClassVar[type[PluginConfig]] = JudgeConfig
    uses_actor: ClassVar[bool] = False

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__(config)
        self.config: JudgeConfig = config
        self._judge: AnyPolicy | None = None

    async def _ask(
        self, prompts: Sequence[Sequence[Message]], params: SamplingParams, context: CritiqueContext
    ) -> list[list[Completion]]:
        if self._judge is None:
            self._judge = create("policy", self.config.policy, **self.config.options)
        return await context.ask(prompts, params, n=self.config.votes, policy=self._judge)

    async def close(self) -> None:
        """Release the judging model."""
        if self._judge is not None:
            await self._judge.close()
            self._judge = None
