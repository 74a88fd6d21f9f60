"""The critic interface: finds where a failed attempt goes wrong (Agent-R section 3.1, transition point)."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.tree import shared_start
from agentr_core.records import Completion, Cut, Message, SamplingParams, Trajectory, Verdict

ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class CritiqueContext(Protocol):
    """What the core lends a critic while it judges trajectories of one tree."""

    @property
    def domain(self) -> str:
        """What the environment calls the world of the tree's task in a prompt, e.g. ``"a crafting game"``."""

    def rng(self, *names: str | int) -> random.Random:
        """A generator for one purpose; equal names, equal numbers."""

    async def ask(
        self,
        prompts: Sequence[Sequence[Message]],
        params: SamplingParams,
        *,
        n: int = 1,
        policy: AnyPolicy | None = None,
    ) -> list[list[Completion]]:
        """``n`` answers of ``policy`` (by default the acting one) to each prompt, all prompts asked at once."""

    def fits(self, prompt: Sequence[Message], params: SamplingParams, policy: AnyPolicy | None = None) -> bool:
        """True where the prompt and an answer fit the context of ``policy`` (by default the acting one)."""

    def prepare(self, policy: AnyPolicy) -> None:
        """Offer a policy of the critic's own what the acting one was offered: a way to make an environment."""

    async def distances(self, trajectory: Trajectory) -> list[float | None]:
        """The environment's distance to the goal before the first step and after each step (length T + 1)."""

    def best_return(self, node: int) -> float:
        """The highest reward of any leaf below the tree node ``node`` (itself included)."""

    def remembered(self, nodes: Sequence[int]) -> Mapping[int, Verdict]:
        """Verdicts that this critic, with this configuration and model, has already given on these tree nodes."""

    def remember(self, verdicts: Mapping[int, Verdict]) -> None:
        """Keep new verdicts by tree node."""


class Critic(ABC, Generic[ConfigT]):
    """A way to choose the step t' after which a bad trajectory is left."""

    config_class: ClassVar[type[PluginConfig]] = PluginConfig
    #: True where the answer depends on the acting model (then its verdicts are kept apart for each model).
    uses_actor: ClassVar[bool] = False

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @abstractmethod
    async def judge(self, bad: Trajectory, good: Trajectory, context: CritiqueContext) -> Cut:
        """The cut of ``bad`` beside ``good``: t < t' <= T_b, never inside the shared prefix (1-based steps)."""

    async def close(self) -> None:
        """Release what the critic holds (a judge of its own). May be called twice."""


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


#: A critic with whatever configuration.
AnyCritic = Critic[Any]
