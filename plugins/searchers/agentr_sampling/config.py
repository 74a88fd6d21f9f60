"""Settings of best-of-n and greedy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentr_core import PluginConfig, SamplingParams


class GreedyConfig(PluginConfig):
    """One attempt."""

    depth: int = Field(default=20, ge=1, le=1_000, description="actions of one attempt at the most")
    max_tokens: int = Field(default=500, ge=1, description="tokens of one answer at the most")
    stop: tuple[str, ...] = Field(default=(), description="strings that end an answer")

    def sampling(self) -> SamplingParams:
        """How an action is drawn."""
        return SamplingParams(temperature=0.0, max_tokens=self.max_tokens, stop=self.stop)


class BestOfNConfig(GreedyConfig):
    """``attempts`` attempts that do not know of each other."""

    attempts: int = Field(default=8, ge=1, le=10_000, description="attempts in one tree (n)")
    attempts_in_flight: int = Field(
        default=8, ge=1, le=10_000, description="attempts of one tree that run at once and are committed together"
    )
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
