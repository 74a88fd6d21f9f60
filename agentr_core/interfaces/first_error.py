"""Where a failed attempt is cut: at its first error, found step by step (Agent-R section 3.1, transition point)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from agentr_core.interfaces.critic import ConfigT, Critic, CritiqueContext
from agentr_core.interfaces.tree import shared_start
from agentr_core.records import Cut, Trajectory, Verdict


class StepwiseCritic(Critic[ConfigT]):
    """A critic that labels single steps; the cut is the first ``bad`` one after the divergence.

    All steps of a path are labelled in one call, and a verdict depends on the node alone, so it is given once however
    many good trajectories the bad one is paired with.
    """

    @abstractmethod
    async def verdicts(
        self, trajectory: Trajectory, steps: Sequence[int], context: CritiqueContext
    ) -> Sequence[Verdict]:
        """One verdict for each of ``steps`` (1-based, ascending)."""

    async def judge(self, bad: Trajectory, good: Trajectory, context: CritiqueContext) -> Cut:
        """The first step after the divergence that is labelled ``bad``; the last step where none is."""
        steps = range(divergence(bad, good) + 1, len(bad.steps) + 1)
        nodes = {step: bad.steps[step - 1].node for step in steps}
        known = context.remembered([node for node in nodes.values() if node is not None])
        given = {step: known[node] for step, node in nodes.items() if node is not None and node in known}
        missing = [step for step in steps if step not in given]
        if missing:
            fresh = {verdict.step: verdict for verdict in await self.verdicts(bad, missing, context)}
            context.remember({node: fresh[step] for step in missing if (node := nodes[step]) is not None})
            given.update(fresh)
        verdicts = tuple(given[step] for step in steps)
        return first_bad(verdicts, last=len(bad.steps))


def first_bad(verdicts: Sequence[Verdict], *, last: int) -> Cut:
    """The cut rule of Agent-R section 3.1: t' is the first step judged bad, else the whole trajectory is kept."""
    for verdict in verdicts:
        if verdict.label == "bad":
            return Cut(step=verdict.step, judged=True, verdicts=tuple(verdicts))
    return Cut(step=last, judged=False, verdicts=tuple(verdicts))


def divergence(bad: Trajectory, good: Trajectory) -> int:
    """t: how many leading steps are the same tree nodes (method choice 3: by node, never by text)."""
    return shared_start(bad.steps, good.steps, lambda left, right: left.node is not None and left.node == right.node)
