"""Settings of learning from the actions of trees."""

from __future__ import annotations

from typing import Literal

from agentr_training.config import TrainingSettings
from pydantic import Field


class TreeSettings(TrainingSettings):
    """How actions are weighed, and how far a step may go."""

    learning_rate: float = Field(
        default=1e-4, gt=0.0, description="peak learning rate of AdamW; a model of billions wants 1e-6, adapters 1e-5"
    )
    epochs: tuple[float, ...] = Field(
        default=(1.0,), min_length=1, description="by iteration; the last one repeats; more than 2 go too far"
    )
    batch_size: int = Field(
        default=16,
        ge=1,
        description="rows in one step, of all processes; a row is an attempt with those actions that no other row has",
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(default="constant", description="of the learning rate")
    loss: Literal["pg", "awr"] = Field(
        default="pg",
        description="pg: clipped policy gradient against the stored log-probabilities; awr: fine-tuning with weights "
        "by advantage, which needs none and takes trees of any age",
    )
    whole_tree: float = Field(
        default=0.5, ge=0.0, description="how much an action counts as better than its tree, beside its siblings"
    )
    ratio: Literal["token", "turn"] = Field(
        default="token", description="pg: each token is clipped by itself, or a whole turn by the mean of its tokens"
    )
    clip_low: float = Field(default=0.2, ge=0.0, lt=1.0, description="pg: how far below 1 a ratio still counts")
    clip_high: float = Field(default=0.28, ge=0.0, description="pg: how far above 1 a ratio still counts")
    dual_clip: float = Field(default=3.0, ge=1.0, description="pg: a bad action counts at most so many times")
    awr_temperature: float = Field(default=0.3, gt=0.0, description="awr: weights are exp(advantage / temperature)")
    awr_most: float = Field(default=5.0, ge=1.0, description="awr: the largest such weight")
    max_kl: float | None = Field(
        default=0.5,
        gt=0.0,
        description="pg: training ends where a step's distance to what drew the actions, a token, "
        "is larger (KL divergence); none: never",
    )
    min_entropy: float | None = Field(
        default=0.33,
        gt=0.0,
        lt=1.0,
        description="pg: training ends where the entropy of a token over the last 8 logs is below this share of what "
        "it was before; none: never",
    )
    revision_weight: float = Field(
        default=0.0, ge=0.0, description="weight of fine-tuning on the conversations of the recipe, mixed in"
    )
    max_rows_per_tree: int = Field(default=256, ge=1, description="actions of one tree at the most, drawn by chance")
    checked_rows: int = Field(
        default=200, ge=1, description="pg: rows whose stored log-probabilities are compared with the start's"
    )
    max_drift: float = Field(
        default=0.1, gt=0.0, description="pg: mean difference of those at the most; above it training is refused"
    )
    max_far: float = Field(
        default=0.02, ge=0.0, le=1.0, description="pg: share of tokens whose ratio is below 1/2 or above 2, at the most"
    )
