"""Configuration of the critics."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agentr_core import PluginConfig


class NoConfig(PluginConfig):
    """Nothing to set."""


class ActorConfig(PluginConfig):
    """How the judging model is sampled."""

    temperature: float = Field(default=0.0, ge=0.0, description="of the verdict; the official code uses 1")
    max_tokens: int = Field(default=256, ge=1, description="of the verdict, its reasons included")
    votes: int = Field(default=1, ge=1, description="verdicts for each step; the most frequent label counts")


class JudgeConfig(ActorConfig):
    """Which policy judges, and how it is sampled."""

    policy: str = Field(default="transformers", description="the judging policy's name")
    options: dict[str, Any] = Field(default_factory=dict, description="the judging policy's options, e.g. model")
