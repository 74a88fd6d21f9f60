"""The first step that cannot be made good, measured: after it the acting policy does not succeed any more.

Error benchmarks call it the first unrecoverable step and take a person's word for it (AgentRx, arXiv 2602.02475). With
an environment that can be brought to any step of an attempt it is a matter of playing: so many rollouts from there, and
none succeeds. It is what other critics can be measured against, and costs what playing costs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from agentr_core import CritiqueContext, Label, PluginConfig, StepwiseCritic, Trajectory, Verdict, gather_all
from agentr_critics.config import UnrecoverableConfig


class UnrecoverableCritic(StepwiseCritic[UnrecoverableConfig]):
    """A step is bad where no rollout from after it succeeds.

    What the tree has is taken for granted: a step with a success below it is good, and nothing is played there. What is
    below a good step may be good or bad, what is above it is good; what is below a bad step is bad.
    """

    config_class: ClassVar[type[PluginConfig]] = UnrecoverableConfig
    uses_actor: ClassVar[bool] = True

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """Find the border between steps after which a rollout succeeds and those after which none does."""
        if any(step.node is None for step in trajectory.steps):
            return [
                _verdict(step, "uncertain", "the attempt is of no tree: there is nothing to play from")
                for step in steps
            ]
        known = self._known(trajectory, context)
        good = max((step for step, verdict in known.items() if verdict.label == "good"), default=0)
        bad = min((step for step, verdict in known.items() if verdict.label == "bad" and step > good), default=None)
        played = await self._play(trajectory, good, bad or len(trajectory.steps) + 1, context)
        return [_said(step, {**known, **played}) for step in steps]

    def _known(self, trajectory: Trajectory, context: CritiqueContext) -> dict[int, Verdict]:
        """What is known of steps without playing: from the tree, and from verdicts on nodes of other attempts."""
        nodes = {number: step.node for number, step in enumerate(trajectory.steps, 1) if step.node is not None}
        remembered = context.remembered(list(nodes.values()))
        known = {number: remembered[node] for number, node in nodes.items() if node in remembered}
        for number, node in nodes.items():
            if number not in known and context.best_return(node) >= self.config.solved:
                known[number] = _verdict(number, "good", "an attempt of the tree through it succeeded")
        return known

    async def _play(self, trajectory: Trajectory, good: int, bad: int, context: CritiqueContext) -> dict[int, Verdict]:
        """Verdicts on the steps between the last good and the first bad one, as far as they are played from."""
        if self.config.steps == "all":
            between = range(good + 1, bad)
            found = await gather_all(self._measure(trajectory, step, context) for step in between)
            return dict(zip(between, found, strict=True))
        played: dict[int, Verdict] = {}
        while bad - good > 1:
            middle = (good + bad) // 2
            played[middle] = await self._measure(trajectory, middle, context)
            # Where nothing could be played nothing is known, and the error is looked for further on.
            good, bad = (good, middle) if played[middle].label == "bad" else (middle, bad)
        return played

    async def _measure(self, trajectory: Trajectory, step: int, context: CritiqueContext) -> Verdict:
        """Play from after ``step``: good where a rollout succeeds, bad where all have been played and none does."""
        config, node = self.config, trajectory.steps[step - 1].node
        attempts = await context.rollouts(node or 0, config.rollouts, config.sampling(), depth=config.depth)
        rewards = [attempt.reward for attempt in attempts]
        solved = sum(reward >= config.solved for reward in rewards)
        reason = (
            f"{solved} of {len(rewards)} rollouts from here succeeded, the best reward is {max(rewards, default=0):.2f}"
        )
        if solved:
            return _verdict(step, "good", reason)
        if len(rewards) < config.rollouts:
            return _verdict(step, "uncertain", f"{reason}; {config.rollouts - len(rewards)} could not be played")
        return _verdict(step, "bad", reason)


def _said(step: int, known: Mapping[int, Verdict]) -> Verdict:
    """The verdict on a step: its own, or what follows from one above or below it."""
    if step in known:
        return known[step].model_copy(update={"step": step})
    after = min((other for other, verdict in known.items() if verdict.label == "good" and other > step), default=None)
    if after is not None:
        return _verdict(step, "good", f"a rollout from after step {after} succeeded")
    before = max((other for other, verdict in known.items() if verdict.label == "bad" and other < step), default=None)
    if before is not None:
        return _verdict(step, "bad", f"no rollout from after step {before} succeeded")
    return _verdict(step, "uncertain", "nothing could be played near it")


def _verdict(step: int, label: Label, rationale: str) -> Verdict:
    return Verdict(step=step, label=label, rationale=rationale)
