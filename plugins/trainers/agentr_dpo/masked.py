"""TRL's trainer over pairs that are token ids already: the batch with its mask, the reference, and the loss.

Where a loss asks for it (KTO), each pair comes with a crossed one, its prompts gone on with as in another pair; its
columns have the same names behind :data:`CROSSED`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agentr_training.padding import padded
from agentr_training.watching import InOrder

from agentr_dpo.config import DPOSettings
from agentr_dpo.kto import kto_losses, reference_point
from agentr_dpo.pairs import CROSSED

import torch  # isort: skip - it comes after agentr_training, which sets how its threads wait
import trl
from accelerate.utils import gather_object

#: Columns of what the reference makes of both sides.
_REFERENCES = ("ref_chosen_logps", "ref_rejected_logps")
#: What is reported of a step, by TRL's names.
REPORTED = ("rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected")


@dataclass(frozen=True, slots=True)
class Collator:
    """Pairs as one batch of 2B rows, the better sides first, padded at the right; the mask is 1 where tokens count."""

    pad: int

    def __call__(self, pairs: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors of shape (2B, T), and the references of shape (B,) where they are known; crossed pairs' behind."""
        crossed = self._batch(pairs, CROSSED) if f"{CROSSED}chosen_ids" in pairs[0] else {}
        return {**self._batch(pairs, ""), **crossed}

    def _batch(self, pairs: Sequence[Mapping[str, Any]], prefix: str) -> dict[str, torch.Tensor]:
        ids = [pair[f"{prefix}{side}_ids"] for side in ("chosen", "rejected") for pair in pairs]
        masks = [pair[f"{prefix}{side}_mask"] for side in ("chosen", "rejected") for pair in pairs]
        batch = {
            f"{prefix}input_ids": padded(ids, self.pad),
            f"{prefix}attention_mask": padded([[1] * len(row) for row in ids], 0),
            f"{prefix}completion_mask": padded(masks, 0),
        }
        names = [name for each in _REFERENCES if (name := prefix + each) in pairs[0]]
        return {**batch, **{name: torch.tensor([pair[name] for pair in pairs]) for name in names}}


def part_of(batch: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """The pairs' own part of a batch (``prefix`` empty), or that of the crossed ones, by the names TRL knows."""
    own = {name: value for name, value in batch.items() if name.startswith(CROSSED) == bool(prefix)}
    return {name.removeprefix(prefix): value for name, value in own.items()}


class MaskedTrainer(InOrder, trl.DPOTrainer):  # type: ignore[misc]
    """TRL's trainer over rows that are made already, in a given order, with references that may be known."""

    def __init__(self, settings: DPOSettings, order: list[int], **given: Any) -> None:
        self._settings, self._order = settings, order
        super().__init__(**given)

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        """Each pair once, whatever the number of epochs."""
        for prefix in ("", CROSSED):
            unknown = prefix + _REFERENCES[0] not in dataset.column_names
            if unknown and f"{prefix}chosen_ids" in dataset.column_names:
                for column, values in self._references(dataset, batch_size, prefix).items():
                    dataset = dataset.add_column(prefix + column, values)
        return dataset.select(self._order)

    def _references(self, dataset: Any, batch_size: int, prefix: str) -> dict[str, list[float]]:
        """What the start makes of each pair; every process does its share, all of them as many batches."""
        count, processes = len(dataset), self.accelerator.num_processes
        own = [place % count for place in range(self.accelerator.process_index, count + -count % processes, processes)]
        found = list[tuple[int, float, float]]()
        with self.placed() as model:
            for first in range(0, len(own), batch_size):
                places = own[first : first + batch_size]
                batch = self._prepare_inputs(self.data_collator([dataset[place] for place in places]))
                logps = self.compute_ref_log_probs(model, part_of(batch, prefix))
                found += zip(places, *(each.tolist() for each in logps), strict=True)
        known = {place: values for place, *values in gather_object(found)}
        ordered = [known[place] for place in range(count)]
        return {name: [values[side] for values in ordered] for side, name in enumerate(_REFERENCES)}

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
        """TRL's loss, and that of plain fine-tuning on the better sides: means over all processes, without blanks."""
        own, crossed = part_of(inputs, ""), part_of(inputs, CROSSED)
        point = self._reference_point(model, crossed) if crossed else None
        asked = _Asked(model)
        mean = super()._compute_loss(asked, own, False)
        mask = own["completion_mask"][:, 1:]
        logprobs, (better, _) = asked.answer.log_probs[:, -mask.size(1) :], mask.chunk(2)
        said = -(logprobs.chunk(2)[0] * better).sum()
        count, pairs = len(better), better.any(1).sum()
        all_pairs, all_tokens = self.over_all(pairs, better.sum())
        for name in REPORTED:  # a blank adds nothing to a sum
            self._metrics["train"][name][-1] *= float(count * self.accelerator.num_processes / all_pairs)
        if point is None:
            preferred = mean * count - (count - pairs) * loss_of_blank(self._settings)
        else:
            losses = kto_losses(_ratios(logprobs, own), point, self._settings)
            preferred = (losses * mask.any(1)).sum() / 2
        return self.of_all(preferred, all_pairs) + self._settings.sft_weight * self.of_all(said, all_tokens)

    def _reference_point(self, model: Any, crossed: Mapping[str, Any]) -> torch.Tensor:
        """KTO's point of reference, over the crossed rows of all processes; a scalar without a gradient."""
        mask = crossed["completion_mask"]
        labels = crossed["input_ids"].masked_fill(mask == 0, -100)
        asked = {name: crossed[name] for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            logprobs = model(**asked, use_cache=False, labels=labels, fused_lm_head=True).log_probs
        ratios = _ratios(logprobs[:, 1 - mask.size(1) :], crossed)
        point = reference_point(*self.over_all(ratios.sum(), mask[:, 1:].any(1).sum()))
        self._metrics["train"]["kl"].append(point.item())
        return point


def _ratios(logprobs: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
    """How much likelier each row is than by the reference; log, shape (2B,)."""
    return logprobs.sum(1) - torch.cat([batch[name] for name in _REFERENCES])


def loss_of_blank(settings: DPOSettings) -> float:
    """What TRL's loss is of a pair of which nothing counts; its gradient is 0."""
    if settings.loss == "ipo":
        return 1.0 / (2.0 * settings.beta) ** 2
    return math.log(2.0) if settings.loss.startswith("sigmoid") else 1.0


class _Asked:
    """A model, and what it answered last."""

    answer: Any

    def __init__(self, model: Any) -> None:
        self._model = model

    def __call__(self, **given: Any) -> Any:
        self.answer = self._model(**given)
        return self.answer
