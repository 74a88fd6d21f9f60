"""Configuration of the critics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from agentr_core import PluginConfig


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
