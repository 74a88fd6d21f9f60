"""The critic interface: finds where a failed attempt goes wrong (Agent-R section 3.1, transition point)."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.records import Completion, Cut, SamplingParams, Trajectory, Verdict
from agentr_core.turns import Message

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

    def count(self, tokens: int) -> None:
        """Count tokens that a model of the critic's own has read otherwise than by :meth:`ask`."""

    def fits(self, prompt: Sequence[Message], params: SamplingParams, policy: AnyPolicy | None = None) -> bool:
        """True where the prompt and an answer fit the context of ``policy`` (by default the acting one)."""

    def prepare(self, policy: AnyPolicy) -> None:
        """Offer a policy of the critic's own what the acting one was offered: a way to make an environment."""

    async def distances(self, trajectory: Trajectory) -> list[float | None]:
        """The environment's distance to the goal before the first step and after each step (length T + 1)."""

    async def rollouts(
        self, node: int, n: int, params: SamplingParams, *, depth: int | None = None
    ) -> list[Trajectory]:
        """``n`` attempts of the acting policy that go on from the tree node ``node``, all at once, to their ends.

        They are whole trajectories, the steps up to the node included; of ``depth`` actions at the most, as many as the
        tree's deepest attempt unless given. Nothing is added to the tree, and who asks again gets the same attempts.
        Those in which the environment failed are left out, so there may be fewer than ``n``; the core counts them, as
        it counts the tokens and steps of all. Set ``uses_actor``.
        """

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

    def check(self) -> None:
        """See that what it needs beside its packages is there: a model of its own that is named, say.

        Asked before a run begins, so cheap: nothing is loaded. Raises :class:`~agentr_core.errors.UsageError`.
        """

    async def close(self) -> None:
        """Release what the critic holds (a judge of its own). May be called twice."""


#: A critic with whatever configuration.
AnyCritic = Critic[Any]
