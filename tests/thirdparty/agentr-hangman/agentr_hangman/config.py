"""Settings of the environment."""

from __future__ import annotations

from pydantic import Field

from agentr_core import EnvironmentConfig


class HangmanConfig(EnvironmentConfig):
    """How forgiving the game is."""

    lives: int = Field(6, ge=1, le=26, description="wrong guesses that end the game")
    min_length: int = Field(4, ge=3, le=8, description="length of the shortest word")
