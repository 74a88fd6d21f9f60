"""A policy with weights, and a trainer of it: the weights are one number in a file, the rate of wrong actions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agentr_scripted.config import FlawedConfig
from agentr_scripted.flawed import FlawedPolicy

from agentr_core import Checkpoint, Example, Trainer, TrainingSet
from agentr_core.interfaces.plugin_config import PluginConfig


class LearnerConfig(FlawedConfig):
    model: str
    template_options: dict[str, Any] | None = None


class Learner(FlawedPolicy):
    """Errs at the rate that its model's file says."""

    config_class = LearnerConfig

    def __init__(self, config: LearnerConfig) -> None:
        rate = float((Path(config.model) / "rate.txt").read_text())
        super().__init__(config.model_copy(update={"rate": rate}))
        self.path = config.model

    @property
    def model(self) -> str:
        return self.path

    @property
    def weights(self) -> str:
        return self.path

    @property
    def template_options(self) -> dict[str, Any] | None:
        assert isinstance(self.config, LearnerConfig)
        return self.config.template_options


class HalverConfig(PluginConfig):
    factor: float = 0.5


class Halver(Trainer[HalverConfig]):
    """Multiplies the rate of errors by ``factor``; leaves the start's template options beside the model."""

    config_class = HalverConfig

    def train(self, dataset: TrainingSet, start: Checkpoint, out: Path, **_: object) -> Checkpoint:
        rate = float((Path(start.model) / "rate.txt").read_text())
        model = write_model(out / "model", rate * self.config.factor)
        (out / "options.json").write_text(json.dumps(start.template_options))
        return Checkpoint(model=str(model), base_model=start.base_model, step=len(dataset.examples))


def write_model(folder: Path, rate: float) -> Path:
    folder.mkdir(parents=True)
    (folder / "rate.txt").write_text(str(rate))
    return folder


class ChoosyConfig(HalverConfig):
    max_length: int = 1500


class Choosy(Halver):
    """Leaves out conversations of more than ``max_length`` characters and tells so before its first step."""

    config_class = ChoosyConfig

    def train(self, dataset: TrainingSet, start: Checkpoint, out: Path, **more: Any) -> Checkpoint:
        lengths = [sum(len(turn.content) for turn in example.messages) for example in dataset.examples]
        limit = self.config.max_length  # type: ignore[attr-defined]
        left = [example for example, length in zip(dataset.examples, lengths, strict=True) if length <= limit]
        counts = {
            "examples": float(len(left)),
            "dropped": float(len(lengths) - len(left)),
            "general": float(sum(example.kind == "general" for example in left)),
            "longest": float(max(lengths)),
            "max_length": float(limit),
        }
        more["report"](0, counts)
        more["report"](1, {"loss": 2.0})
        made = super().train(dataset, start, out)
        return made.model_copy(update={"metrics": counts})


class Tireless(Halver):
    """Goes through its rows again and again, and tells so twice; of lengths it tells nothing."""

    def train(self, dataset: TrainingSet, start: Checkpoint, out: Path, **more: Any) -> Checkpoint:
        for step in (0, 1):
            more["report"](step, {"epochs": 18.4})
        return super().train(dataset, start, out)


class Measuring(Choosy):
    """Says beforehand what it would leave out."""

    def too_long(self, examples: Sequence[Example], start: Checkpoint) -> dict[int, int]:
        lengths = [sum(len(turn.content) for turn in example.messages) for example in examples]
        limit = self.config.max_length  # type: ignore[attr-defined]
        return {place: length for place, length in enumerate(lengths) if length > limit}


class Reader(Trainer[HalverConfig, Any]):
    """Goes through what it is given twice, and leaves what it saw: rows, hash, origin, conversations beside them."""

    config_class = HalverConfig

    def train(self, dataset: Any, start: Checkpoint, out: Path, **_: object) -> Checkpoint:
        seen = [[row.content() for row in dataset.rows] for _ in range(2)]
        model = write_model(out / "model", 0.5)
        beside = None if dataset.conversations is None else len(dataset.conversations)
        told = {
            "rows": seen,
            "hash": dataset.content_hash,
            "origin": dataset.origin,
            "on_policy": dataset.on_policy,
            "conversations": beside,
        }
        (out / "seen.json").write_text(json.dumps(told))
        metrics = {"rows": float(len(dataset))}
        return start.model_copy(update={"model": str(model), "iteration": start.iteration + 1, "metrics": metrics})


class PairReader(Reader):
    reads = "preferences"


class ActionReader(Reader):
    reads = "actions"


class ValueReader(Reader):
    reads = "values"


class MixedReader(ActionReader):
    mixes_conversations = True  # type: ignore[assignment]
