"""Settings of learning from preferences."""

from __future__ import annotations

from typing import Literal

from agentr_training.config import TrainingSettings
from pydantic import Field


class DPOSettings(TrainingSettings):
    """Which pairs are learnt from, and how."""

    learning_rate: float = Field(
        default=1e-4, gt=0.0, description="peak learning rate of AdamW; a model of billions wants 1e-6, adapters 1e-5"
    )
    epochs: tuple[float, ...] = Field(default=(1.0,), min_length=1, description="by iteration; the last one repeats")
    batch_size: int = Field(default=8, ge=1, description="pairs in one step, of all processes; each is two rows")
    max_length: int = Field(default=1024, ge=16, description="tokens of the longer side; longer pairs are left out")
    pairs: Literal["trajectory", "step", "both"] = Field(
        default="both", description="attempts from where they part to their ends, sibling actions by their Q, or both"
    )
    min_gap: float = Field(default=0.1, ge=0.0, le=1.0, description="step pairs: Q of the one above that of the other")
    min_visits: int = Field(
        default=2, ge=1, description="step pairs: ends that the less tried side is known by (an end is known by itself)"
    )
    max_longer: int | None = Field(
        default=5, ge=0, description="trajectory pairs: turns of the worse one beyond the better one's, at the most"
    )
    max_pairs_per_tree: int = Field(default=64, ge=1, description="those with the largest gap; at most so many of each")
    beta: float = Field(default=0.1, gt=0.0, description="how strongly the model is held to the reference")
    loss: Literal["sigmoid", "hinge", "ipo", "apo_zero", "apo_down", "sigmoid_norm", "kto"] = Field(
        default="sigmoid",
        description="TRL's loss_type; ipo and sigmoid_norm take means over tokens; kto takes each side by itself",
    )
    desirable_weight: float = Field(default=1.0, ge=0.0, description="kto: weight of the better sides")
    undesirable_weight: float = Field(default=1.0, ge=0.0, description="kto: weight of the worse sides")
    sft_weight: float = Field(
        default=0.2, ge=0.0, description="weight of plain fine-tuning on the better side, beside the loss"
    )
