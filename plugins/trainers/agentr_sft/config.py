"""Settings of supervised fine-tuning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from agentr_training.config import TrainingSettings
from pydantic import Field


class SFTSettings(TrainingSettings):
    """How a model is fine-tuned on conversations."""

    #: Agent-R section 4.2 and appendix 9.1 (learning rate, warm-up, schedule, sequence length).
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "learning_rate": 2e-5,
            "epochs": (3.0, 1.0),
            "warmup_ratio": 0.03,
            "schedule": "cosine",
            "max_length": 8192,
            "gradient_checkpointing": True,
        }
    }

    batch_size: int = Field(default=16, ge=1, description="conversations (or packs) in one step, of all processes")
    max_length: int = Field(default=1024, ge=16, description="tokens of a row (a conversation or a turn), or of a pack")
    packing: bool = Field(default=False, description="put several conversations into one row of max_length tokens")
