"""Settings of the tree search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from agentr_core import PluginConfig, SamplingParams


class MCTSConfig(PluginConfig):
    """Hyperparameters of Agent-R section 4.2. The defaults are the paper's, but for ``merge``."""

    #: Values by preset name; what a preset does not name keeps its default.
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {
            "simulations": 8,
            "depth": 20,
            "samples": 4,
            "c_uct": 0.25,
            "temperature": 1.0,
            "top_p": 1.0,
            "max_tokens": 500,
            "merge": "response",
            "leaves_in_flight": 1,
        }
    }

    simulations: int = Field(default=8, ge=1, le=100_000, description="simulations of one tree (k)")
    depth: int = Field(default=20, ge=1, le=1_000, description="actions of one attempt at the most (d)")
    samples: int = Field(default=4, ge=1, le=256, description="candidate actions drawn at each expanded node")
    c_uct: float = Field(default=0.25, ge=0.0, description="weight of exploration in UCT")
    temperature: float = Field(default=1.0, ge=0.0, le=10.0, description="sampling temperature in the expansion")
    top_p: float = Field(default=1.0, gt=0.0, le=1.0, description="nucleus of the sampling distribution")
    max_tokens: int = Field(default=500, ge=1, description="tokens of one answer at the most")
    stop: tuple[str, ...] = Field(default=(), description="strings that end an answer")
    merge: Literal["action", "response"] = Field(
        default="action",
        description="siblings that are one: those with equal action, or with equal whole answer (the paper)",
    )
    leaves_in_flight: int = Field(
        default=1, ge=1, le=1_024, description="simulations of one tree that run at once, kept apart by virtual loss"
    )

    def sampling(self) -> SamplingParams:
        """How candidate actions are drawn."""
        return SamplingParams(
            temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, stop=self.stop
        )
