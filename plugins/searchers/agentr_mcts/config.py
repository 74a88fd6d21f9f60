"""Settings of the tree search."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from agentr_core import PluginConfig, SamplingParams

#: Settings that came later: left out of what a run is told apart by while they are what all runs did before.
_LATER = ("selection", "c_puct", "prior", "c_visit", "c_scale", "again", "again_temperature",
          "value_model", "value_policy", "value_options", "consider")  # fmt: skip


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

    selection: Literal["uct", "puct", "gumbel"] = Field(
        default="uct",
        description="how a walk chooses: uct (the paper); puct, by priors; gumbel, which halves the root's children",
    )
    c_puct: float = Field(default=1.0, ge=0.0, description="weight of exploration in PUCT")
    prior: Literal["copies", "likelihood"] = Field(
        default="copies",
        description="what a child's prior is made of: its share of the samples, or its mean log-probability a token",
    )
    c_visit: float = Field(default=50.0, ge=0.0, description="gumbel: values count for so many visits from the start")
    c_scale: float = Field(default=0.1, ge=0.0, description="gumbel: weight of a value against a log-prior")
    again: int = Field(default=0, ge=0, le=16, description="how often what came out as a copy is asked for again")
    again_temperature: float | None = Field(
        default=None, gt=0.0, le=10.0, description="the temperature of asking again; the same unless given"
    )

    value_model: str | None = Field(
        default=None, description="puct, gumbel: a checkpoint of the trainer 'value', by which unvisited children count"
    )
    value_policy: str = Field(default="transformers", description="the policy that reads it")
    value_options: dict[str, Any] = Field(default_factory=dict, description="further options of that policy")
    consider: int | None = Field(
        default=None, ge=2, le=256, description="draw so many candidates; those that the value model likes are done"
    )

    @model_validator(mode="after")
    def _a_guide_is_followed(self) -> Self:
        if self.value_model is not None and self.selection == "uct":
            raise ValueError("value_model guides selection=puct and selection=gumbel: uct tries every child first")
        if self.consider is not None and self.value_model is None:
            raise ValueError(f"consider={self.consider} needs a model that chooses among them: give value_model too")
        if self.consider is not None and self.consider <= self.samples:
            raise ValueError(
                f"consider={self.consider} must be more than samples={self.samples}, which are kept of them"
            )
        return self

    @model_validator(mode="after")
    def _asking_again_differs(self) -> Self:
        if self.again and not (self.again_temperature or self.temperature):
            raise ValueError("again at temperature 0 brings the same answers: give again_temperature")
        return self

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what came later and is at its default: trees of before read the same, and can be gone on with."""
        fields, values = type(self).model_fields, dump(self)
        usual = {key: fields[key].get_default(call_default_factory=True) for key in _LATER}
        return {key: value for key, value in values.items() if key not in _LATER or value != usual[key]}

    def sampling(self) -> SamplingParams:
        """How candidate actions are drawn."""
        return SamplingParams(
            temperature=self.temperature, top_p=self.top_p, max_tokens=self.max_tokens, stop=self.stop
        )

    def asking_again(self) -> list[SamplingParams]:
        """How what came out as a copy is drawn, one time after the other."""
        usual = self.sampling()
        hotter = usual.model_copy(update={"temperature": self.again_temperature or usual.temperature})
        return [hotter] * self.again
