"""Configuration of the critics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from agentr_core import PluginConfig, SamplingParams


class NoConfig(PluginConfig):
    """Nothing to set."""


class ActorConfig(PluginConfig):
    """How the judging model is sampled."""

    #: As Agent-R's code samples its judge.
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {"temperature": 1.0, "max_tokens": 500}}

    temperature: float = Field(default=0.0, ge=0.0, description="of the verdict; the official code uses 1")
    max_tokens: int = Field(default=256, ge=1, description="of the verdict, its reasons included")
    votes: int = Field(default=1, ge=1, description="verdicts for each step; the most frequent label counts")

    @model_validator(mode="after")
    def _votes_can_differ(self) -> Self:
        if self.votes > 1 and self.temperature == 0:
            raise ValueError("votes above 1 need a temperature above 0: greedy answers are all the same")
        return self


class JudgeConfig(ActorConfig):
    """Which policy judges, and how it is sampled."""

    policy: str = Field(default="transformers", description="the judging policy's name")
    model: str | None = Field(default=None, description="the judging model, short for the option model")
    options: dict[str, Any] = Field(default_factory=dict, description="further options of the judging policy")

    @property
    def policy_options(self) -> dict[str, Any]:
        """All options of the judging policy."""
        return self.options if self.model is None else {**self.options, "model": self.model}


class UnrecoverableConfig(PluginConfig):
    """How much is played, and what counts as a success."""

    #: What fits the small model of the preset, whose turns are short.
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {"max_tokens": 48}}

    rollouts: int = Field(default=8, ge=1, le=1_000, description="rollouts from each step that is tried (n)")
    steps: Literal["binary", "all"] = Field(
        default="binary",
        description="which steps are tried: by halving, as if nothing below a bad step were good; or each of them",
    )
    solved: float = Field(default=1.0, gt=0.0, le=1.0, description="reward from which a rollout has succeeded")
    depth: int | None = Field(
        default=None, ge=1, description="actions of an attempt at the most; as in the tree's deepest one unless given"
    )
    temperature: float = Field(default=1.0, gt=0.0, le=10.0, description="sampling temperature of the rollouts")
    max_tokens: int = Field(default=500, ge=1, description="tokens of one turn at the most")

    def sampling(self) -> SamplingParams:
        """How a turn of a rollout is drawn."""
        return SamplingParams(temperature=self.temperature, max_tokens=self.max_tokens)
