"""Settings of the value model and of the critic that asks it."""

from __future__ import annotations

from typing import Any

from agentr_training.config import TrainingSettings
from pydantic import Field

from agentr_core import PluginConfig


class ValueSettings(TrainingSettings):
    """Which states are learnt from, and which are kept to measure with."""

    learning_rate: float = Field(
        default=1e-4, gt=0.0, description="peak learning rate of AdamW; a model of billions wants 1e-5 with adapters"
    )
    held_out: float = Field(
        default=0.2, ge=0.0, lt=1.0, description="share of the tasks whose states are measured on and never trained on"
    )
    most_visits: int = Field(default=8, ge=1, description="a state counts by its ends, at most so many times")
    max_rows_per_tree: int = Field(default=128, ge=1, description="states of one tree at the most, drawn by chance")

    before_step: bool = Field(
        default=False,
        description="also learn what an action is worth before it is seen what it does (for mcts.consider)",
    )


class ProgressConfig(PluginConfig):
    """Which model is asked, and what counts as a fall."""

    model: str | None = Field(default=None, description="the value model: a checkpoint of the trainer 'value'")
    policy: str = Field(default="transformers", description="the policy that reads it; it must tell log-probabilities")
    options: dict[str, Any] = Field(default_factory=dict, description="further options of that policy")
    delta: float = Field(
        default=0.1, ge=0.0, le=1.0, description="a step is bad where the value falls by more (see the metric delta)"
    )

    @property
    def policy_options(self) -> dict[str, Any]:
        """All options of the policy."""
        return self.options if self.model is None else {**self.options, "model": self.model}
