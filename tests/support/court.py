"""A tree whose attempts are judged, and a policy that judges."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from counting import planted

from agentr_core import Completion, Cut, SampleRequest, Trajectory, Verdict, create
from agentr_core.interfaces.critic import AnyCritic
from agentr_core.play.episode import distances_along
from agentr_core.revise.critique_context import TreeCritique
from agentr_core.testing.fakes import CounterEnvironment, ScriptedPolicy


class Judging(ScriptedPolicy):
    """Keeps the questions it was asked; finds refused actions bad and says nothing clear about ``add 1``."""

    def __init__(self, answer: Callable[[str], str] | None = None, **options: Any) -> None:
        super().__init__(lambda messages, rng: (answer or sharp)(messages[-1].content), **options)
        self.asked: list[SampleRequest] = []

    async def sample(self, request: SampleRequest) -> list[Completion]:
        self.asked.append(request)
        return await super().sample(request)


def sharp(question: str) -> str:
    """Judges the action in question by its observation alone."""
    last = question.rpartition("\n\nAction: ")[2]
    if "is not an action" in last:
        return "That was refused.\nJudgment: bad"
    return "Hard to say." if last.startswith("add 1") else "It counts on.\nJudgment: good"


class Court:
    """One tree, and what it takes to have its leaves judged."""

    def __init__(self) -> None:
        self.tree, self.leaves = planted()
        self.policy = Judging()

    def context(self, known: Mapping[int, Verdict] | None = None, seed: int = 0) -> TreeCritique:
        return TreeCritique(
            self.tree,
            self.policy,
            self._distances,
            domain="a counting game",
            seed=seed,
            session="tree-1",
            known=known or {},
            make_environment=CounterEnvironment,
        )

    def trajectory(self, name: str) -> Trajectory:
        return self.tree.trajectory(self.leaves[name])

    def judge(
        self, critic: AnyCritic | str, *pairs: tuple[str, str], context: TreeCritique | None = None, **options: Any
    ) -> list[Cut]:
        """The cuts of (bad, good) pairs, judged one after the other."""
        made = create("critic", critic, **options) if isinstance(critic, str) else critic
        court = context or self.context()

        async def hear() -> list[Cut]:
            try:
                return [await made.judge(self.trajectory(bad), self.trajectory(good), court) for bad, good in pairs]
            finally:
                await made.close()

        return asyncio.run(hear())

    async def _distances(self, trajectory: Trajectory) -> list[float | None]:
        return await distances_along(CounterEnvironment(), trajectory)
