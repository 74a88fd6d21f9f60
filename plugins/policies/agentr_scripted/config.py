"""Configurations of the scripted policies."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from agentr_core import PluginConfig


class ExpertConfig(PluginConfig):
    """The expert takes no settings."""


class FlawedConfig(PluginConfig):
    """How often the expert errs, and how well it judges."""

    rate: float = Field(0.2, ge=0.0, le=1.0, description="share of actions that are wrong")
    judge_accuracy: float = Field(0.9, ge=0.0, le=1.0, description="share of verdicts that are right")


class RandomConfig(PluginConfig):
    """The random actor takes no settings."""


class ReplayConfig(PluginConfig):
    """Which stored run is answered from."""

    argument: ClassVar[str | None] = "run"

    run: str = Field(description="the run whose completions are replayed: an id, or 'last'")
    db: str | None = Field(None, description="the database that holds the run (default: AGENTR_DB, else agentr.db)")
