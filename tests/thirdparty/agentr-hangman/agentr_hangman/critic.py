"""A critic that knows this game: a guess that is not in the word is the error."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core import CritiqueContext, PluginConfig, StepwiseCritic, Trajectory, Verdict


class MissedCritic(StepwiseCritic[PluginConfig]):
    """Labels a step bad where its letter is not in the word, or is no new letter."""

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        return [_judge(trajectory, step) for step in steps]


def _judge(trajectory: Trajectory, step: int) -> Verdict:
    taken = trajectory.steps[step - 1]
    missed = taken.invalid or taken.observation.startswith("There is no")
    return Verdict(step=step, label="bad" if missed else "good", rationale=taken.observation if missed else "")
