"""Critics that ask no model: they look at the tree, at the environment, or at nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from agentr_core import (
    Critic,
    CritiqueContext,
    Cut,
    Label,
    PluginConfig,
    StepwiseCritic,
    Trajectory,
    Verdict,
    divergence,
)
from agentr_critics.config import NoConfig


class ValueCritic(StepwiseCritic[NoConfig]):
    """The first step after which the best return that the tree has found falls."""

    config_class: ClassVar[type[PluginConfig]] = NoConfig

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """Bad where the best leaf below the step's node is worse than the best below its parent."""
        best = [context.best_return(node) for node in (0, *(step.node or 0 for step in trajectory.steps))]
        return [
            Verdict(
                step=step,
                label="bad" if best[step] < best[step - 1] else "uncertain",
                rationale=f"best return {best[step - 1]:.2f} before, {best[step]:.2f} after",
            )
            for step in steps
        ]


class OracleCritic(StepwiseCritic[NoConfig]):
    """The first step that does not bring the goal nearer, by the environment's own distance."""

    config_class: ClassVar[type[PluginConfig]] = NoConfig

    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """Good where the distance falls, bad where it stays or rises, uncertain where the environment has none."""
        far = await context.distances(trajectory)
        return [_by_distance(step, far[step - 1], far[step]) for step in steps]


def _by_distance(step: int, before: float | None, after: float | None) -> Verdict:
    if before is None or after is None:
        return Verdict(step=step, label="uncertain", rationale="the environment knows no distance to the goal")
    label: Label = "good" if after < before else "bad"
    return Verdict(step=step, label=label, rationale=f"{before:g} steps from the goal before, {after:g} after")


class LastCritic(Critic[NoConfig]):
    """Direct-Revision: the whole bad trajectory is kept, nothing is judged (Agent-R section 3.1, baseline)."""

    config_class: ClassVar[type[PluginConfig]] = NoConfig

    async def judge(self, bad: Trajectory, good: Trajectory, context: CritiqueContext) -> Cut:
        """Cut after the last step."""
        return Cut(step=len(bad.steps), judged=False)


class RandomCritic(Critic[NoConfig]):
    """A step after the divergence, drawn uniformly: what any critic must beat.

    The draw is an order of all steps that depends on the bad leaf alone; the first one after the divergence is the
    cut. So a bad trajectory is cut at the same step beside every good one that leaves it early enough.
    """

    config_class: ClassVar[type[PluginConfig]] = NoConfig

    async def judge(self, bad: Trajectory, good: Trajectory, context: CritiqueContext) -> Cut:
        """The first step after the divergence in the leaf's order."""
        last, start = len(bad.steps), divergence(bad, good)
        order = context.rng("random critic", str(bad.steps[-1].node)).sample(range(1, last + 1), last)
        return Cut(step=next(step for step in order if step > start))
