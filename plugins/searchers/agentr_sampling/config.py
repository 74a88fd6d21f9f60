"""Settings of the searchers that make whole attempts, and of beam search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from agentr_core import MergeKey, PluginConfig, SamplingParams, by_action, by_response

_MERGE: dict[str, MergeKey] = {"action": by_action, "response": by_response}


class GreedyConfig(PluginConfig):
    """One attempt."""

    depth: int = Field(default=20, ge=1, le=1_000, description="actions of one attempt at the most")
    max_tokens: int = Field(default=500, ge=1, description="tokens of one answer at the most")
    stop: tuple[str, ...] = Field(default=(), description="strings that end an answer")

    def sampling(self) -> SamplingParams:
        """How an action is drawn."""
        return SamplingParams(temperature=0.0, max_tokens=self.max_tokens, stop=self.stop)

    @property
    def merge_key(self) -> MergeKey:
        """Which samples are one child."""
        return by_response


class SampledConfig(GreedyConfig):
    """Attempts that are drawn."""

    temperature: float = Field(default=1.0, ge=0.0, le=10.0, description="sampling temperature")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="nucleus of the sampling distribution")
    merge: Literal["action", "response"] = Field(
        default="response", description="attempts share a node while their answers are equal, or only their actions"
    )

    def sampling(self) -> SamplingParams:
        """How an action is drawn."""
        return SamplingParams(
            temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, stop=self.stop
        )

    @property
    def merge_key(self) -> MergeKey:
        """Which samples are one child."""
        return _MERGE[self.merge]


class BestOfNConfig(SampledConfig):
    """``attempts`` attempts that do not know of each other."""

    attempts: int = Field(default=8, ge=1, le=10_000, description="attempts in one tree (n)")
    attempts_in_flight: int = Field(
        default=8, ge=1, le=10_000, description="attempts of one tree that run at once and are committed together"
    )


#: What fits the small model of the preset ``quick``, whose turns are short.
_QUICK: dict[str, Mapping[str, Any]] = {"quick": {"max_tokens": 48}}


class BranchConfig(SampledConfig):
    """Whole attempts, and whole attempts from chosen nodes of them."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = _QUICK

    attempts: int = Field(default=4, ge=1, le=1_000, description="attempts from the start (Tree-GRPO's M)")
    rounds: int = Field(default=2, ge=0, le=1_000, description="how often nodes are chosen (L)")
    nodes: int = Field(default=4, ge=1, le=1_000, description="nodes chosen in a round (N)")
    choose: Literal["random", "shallow", "spread"] = Field(
        default="shallow",
        description="which nodes: any (Tree-GRPO); the least branched, shallow ones first; or those below which the "
        "rewards differ most",
    )


class _ApartConfig(SampledConfig):
    """Draws that know their siblings."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = _QUICK

    again: int = Field(default=0, ge=0, le=16, description="how often what came out as a copy is asked for again")
    again_temperature: float | None = Field(
        default=None, gt=0.0, le=10.0, description="the temperature of asking again; the same unless given"
    )

    @model_validator(mode="after")
    def _asking_again_differs(self) -> Self:
        if self.again and not (self.again_temperature or self.temperature):
            raise ValueError("again at temperature 0 brings the same answers: give again_temperature")
        return self

    def asking_again(self) -> list[SamplingParams]:
        """How what came out as a copy is drawn, one time after the other."""
        usual = self.sampling()
        hotter = usual.model_copy(update={"temperature": self.again_temperature or usual.temperature})
        return [hotter] * self.again


class BeamConfig(_ApartConfig):
    """The best few states of each depth."""

    width: int = Field(default=4, ge=1, le=256, description="states of one depth that are gone on from")
    samples: int = Field(default=4, ge=1, le=256, description="actions drawn at each of them")
    score: Literal["reward", "likelihood"] = Field(
        default="reward",
        description="what is best: the environment's reward so far, ties by likelihood where the policy tells it; or "
        "the policy's own mean log-probability a token",
    )
    merge: Literal["action", "response"] = Field(
        default="action", description="siblings that are one: those with equal action, or with equal whole answer"
    )


class ReflectConfig(_ApartConfig):
    """Attempts, and attempts that leave failed ones where the model says they went wrong."""

    attempts: int = Field(default=4, ge=1, le=1_000, description="attempts from the start")
    reflections: int = Field(default=8, ge=0, le=1_000, description="failed attempts that are reflected on")
    solved: float = Field(default=1.0, gt=0.0, le=1.0, description="reward from which an attempt has not failed")
    note_tokens: int = Field(default=128, ge=1, description="tokens of a reflection at the most")
    again: int = Field(default=1, ge=0, le=16, description="how often a branch that begins as a copy is drawn again")
