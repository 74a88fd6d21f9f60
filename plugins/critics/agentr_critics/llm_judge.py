"""Critics that ask a model about each step: the acting one (Agent-R), or another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import ClassVar

from agentr_core import (
    AnyPolicy,
    Completion,
    CritiqueContext,
    Message,
    PluginConfig,
    PolicyFailure,
    SamplingParams,
    StepwiseCritic,
    Trajectory,
    Verdict,
    boundary,
    create,
    fewest_left_out,
)
from agentr_critics.config import ActorConfig, JudgeConfig
from agentr_critics.prompts import has_label, judge_prompt, parse_label, vote

#: The reason of a verdict that nobody was asked for.
TOO_LONG = "the question does not fit the judging model's context"


class ActorCritic(StepwiseCritic[ActorConfig]):
    """The acting model judges its own steps (Agent-R section 3.1, model-guided critique)."""

    config_class: ClassVar[type[PluginConfig]] = ActorConfig
    uses_actor: ClassVar[bool] = True

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """Ask about all ``steps`` at once."""
        judge = await self.judge_for(context)
        params = SamplingParams(temperature=self.config.temperature, max_tokens=self.config.max_tokens)
        questions = {step: question(trajectory, step, params, context, judge) for step in steps}
        asked = {step: prompt for step, prompt in questions.items() if prompt is not None}
        answers = await context.ask(list(asked.values()), params, n=self.config.votes, policy=judge)
        given = {step: read_verdict(step, answer) for step, answer in zip(asked, answers, strict=True)}
        return [given.get(step) or unasked(step) for step in steps]

    async def judge_for(self, context: CritiqueContext) -> AnyPolicy | None:
        """The policy that judges, ready to; None for the acting one, which is."""
        return None


class JudgeCritic(ActorCritic):
    """Another policy judges: ``--critic judge -o judge.model=smollm2-135m``."""

    config_class: ClassVar[type[PluginConfig]] = JudgeConfig
    uses_actor: ClassVar[bool] = False

    def __init__(self, config: JudgeConfig) -> None:
        super().__init__(config)
        self.config: JudgeConfig = config
        self._judge: AnyPolicy | None = None
        self._is_ready = False
        self._turn = asyncio.Lock()

    async def judge_for(self, context: CritiqueContext) -> AnyPolicy:
        """The judging policy, made when it is first needed and asked once, as the run asks its own, to get ready."""
        async with self._turn:  # many trees are judged at once
            if self._judge is None:
                self._judge = create("policy", self.config.policy, **self.config.policy_options)
                context.prepare(self._judge)
            if not self._is_ready:
                with boundary(PolicyFailure, f"the judging policy '{self._judge.model}' did not get ready"):
                    await self._judge.ready()
                self._is_ready = True
            return self._judge

    async def close(self) -> None:
        """Release the judging model."""
        if self._judge is not None:
            await self._judge.close()
            self._judge, self._is_ready = None, False


def question(
    trajectory: Trajectory, step: int, params: SamplingParams, context: CritiqueContext, judge: AnyPolicy | None
) -> tuple[Message, ...] | None:
    """The question about one step, with as much of the history's end as the judge's context holds.

    None where it cannot be asked even without a history.
    """

    def prompt(left_out: int) -> tuple[Message, ...]:
        return judge_prompt(trajectory, step, context.domain, left_out=left_out)

    least = fewest_left_out(step - 1, lambda left_out: context.fits(prompt(left_out), params, judge))
    return None if least is None else prompt(least)


def unasked(step: int) -> Verdict:
    """The verdict on a step that could not be asked about."""
    return Verdict(step=step, label="uncertain", rationale=TOO_LONG, readable=False)


def read_verdict(step: int, answers: Sequence[Completion]) -> Verdict:
    """The verdict of one or several answers; the first that gave the label tells the reasons."""
    labels = [parse_label(answer.text) for answer in answers]
    label = vote(labels)
    readable = any(has_label(answer.text) for answer in answers)
    told = next((answer for answer, said in zip(answers, labels, strict=True) if said == label), None)
    return Verdict(step=step, label=label, rationale=told.text if told else "", readable=readable)
