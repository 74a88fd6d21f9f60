"""Direct preference optimization on TRL's trainer, with masks and references of our own.

TRL counts everything behind a prompt, the observations of an attempt too, and does not take token ids: so rows are made
here, and a collator hands it the mask. The reference is the model that training starts from. Where it grew the trees,
its log-probabilities of every turn that counts are stored with them, and no forward pass is needed for it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from agentr_training.model_trainer import ModelTrainer
from agentr_training.padding import padded
from agentr_training.watching import InOrder, Watch

from agentr_core import NothingToDo, PluginConfig, PreferenceSet, Report
from agentr_dpo.config import DPOSettings
from agentr_dpo.pairs import BLANK, RenderedPair, columns, render_pair, taken

import datasets  # isort: skip - these come after agentr_training, which sets how torch's threads wait
import torch
import transformers
import trl
from accelerate.utils import gather_object

#: Columns of what the reference makes of both sides.
_REFERENCES = ("ref_chosen_logps", "ref_rejected_logps")
#: What is reported of a step, by TRL's names.
_REPORTED = ("rewards/accuracies", "rewards/margins", "logps/chosen", "logps/rejected")


@dataclass(frozen=True, slots=True)
class Pairs:
    """What is trained on; ``stored``: the reference of every pair is known."""

    pairs: list[RenderedPair]
    stored: bool


class DPO(ModelTrainer[DPOSettings, PreferenceSet]):
    """Makes what came to more likelier than what came to less, counting only what the agent said."""

    name = "dpo"
    reads = "preferences"
    config_class: ClassVar[type[PluginConfig]] = DPOSettings
    rows_at_once = 2
    holds_logits = False

    def render(
        self, dataset: PreferenceSet, tokenizer: Any, max_length: int, options: Mapping[str, Any] | None = None
    ) -> tuple[Pairs, dict[str, float]]:
        """See :meth:`ModelTrainer.render`.

        The counts: pairs of each kind that are trained on; ``unwanted`` by the settings, ``dropped`` for their length,
        ``split`` by the template; ``stored_reference``, 1 where no forward pass is needed for it.
        """
        wanted, counts = taken(dataset.rows, self.config), Counter[str](trajectory_pairs=0, step_pairs=0)
        made = list[RenderedPair]()
        for pair in wanted:
            rendered = render_pair(pair, tokenizer, max_length=max_length, options=options or {})
            if isinstance(rendered, str):
                counts[rendered] += 1
            else:
                counts[f"{pair.kind}_pairs"] += 1
                made.append(rendered)
        if not made:
            raise NothingToDo(_none_left(len(dataset), len(wanted), counts, max_length))
        counts |= Counter(examples=len(made), dropped=counts["dropped"], unwanted=len(dataset) - len(wanted))
        stored = dataset.on_policy and all(pair.reference is not None for pair in made)
        told = {"max_length": float(max_length), "stored_reference": float(stored)}
        return Pairs(made, stored), {**{name: float(count) for name, count in counts.items()}, **told}

    def trainer(
        self, model: Any, tokenizer: Any, rows: Pairs, arguments: Any, epochs: float, report: Report | None = None
    ) -> Any:
        """See :meth:`ModelTrainer.trainer`."""
        order = self.order([pair.length for pair in rows.pairs], epochs, arguments)
        made = _Masked(
            self.config,
            order,
            model=model,
            args=arguments,
            train_dataset=datasets.Dataset.from_dict(columns([*rows.pairs, BLANK], stored=rows.stored)),
            data_collator=Collator(tokenizer.pad_token_id),
            processing_class=tokenizer,
            callbacks=[Watch(report, epochs, _REPORTED)],
            peft_config=self.adapters(),
        )
        made.remove_callback(transformers.PrinterCallback)
        return made

    def arguments(self, checkpoints: Path, epochs: float, seed: int) -> Any:
        """See :meth:`ModelTrainer.arguments`."""
        values = {
            **self.shared_arguments(checkpoints, seed),
            "beta": self.config.beta,
            "loss_type": [self.config.loss],
            "max_length": None,  # what is longer was left out
            "precompute_ref_log_probs": True,  # one model in memory
            "remove_unused_columns": False,
        }
        return self.made_arguments(trl.DPOConfig, values)

    def after(self, trainer: Any, rows: Pairs) -> dict[str, float]:
        """See :meth:`ModelTrainer.after`: how often the better side had the larger reward in the last step."""
        logged = [entry for entry in trainer.state.log_history if "rewards/accuracies" in entry]
        sides = [row for pair in rows.pairs for row in (pair.chosen, pair.rejected)]
        return {
            "accuracy": float(logged[-1]["rewards/accuracies"]),
            "margin": float(logged[-1]["rewards/margins"]),
            "trained_tokens": float(sum(len(row.trained) for row in sides)),
        }


def _none_left(total: int, wanted: int, counts: Mapping[str, int], max_length: int) -> str:
    if not wanted:
        return (
            f"none of the {total:,} pairs is wanted by the settings; lower dpo.min_gap or dpo.min_visits, or set "
            "dpo.pairs=both"
        )
    if counts["split"] == wanted:
        return (
            "the model's chat template writes history anew, so that an attempt is no one row: only single actions can "
            "be compared with it; set dpo.pairs=step"
        )
    return f"none of the {wanted:,} pairs fits dpo.max_length={max_length}; raise it"


@dataclass(frozen=True, slots=True)
class Collator:
    """Pairs as one batch of 2B rows, the better sides first, padded at the right; the mask is 1 where tokens count."""

    pad: int

    def __call__(self, pairs: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        """Tensors of shape (2B, T), and the references of shape (B,) where they are known."""
        ids = [pair[f"{side}_ids"] for side in ("chosen", "rejected") for pair in pairs]
        masks = [pair[f"{side}_mask"] for side in ("chosen", "rejected") for pair in pairs]
        batch = {
            "input_ids": padded(ids, self.pad),
            "attention_mask": padded([[1] * len(row) for row in ids], 0),
            "completion_mask": padded(masks, 0),
        }
        names = [name for name in _REFERENCES if name in pairs[0]]
        return {**batch, **{name: torch.tensor([pair[name] for pair in pairs]) for name in names}}


class _Masked(InOrder, trl.DPOTrainer):  # type: ignore[misc]
    """TRL's trainer over rows that are made already, in a given order, with references that may be known."""

    def __init__(self, settings: DPOSettings, order: list[int], **given: Any) -> None:
        self._settings, self._order = settings, order
        super().__init__(**given)

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        """Each pair once, whatever the number of epochs."""
        if "ref_chosen_logps" not in dataset.column_names:
            for column, values in self._references(dataset, batch_size).items():
                dataset = dataset.add_column(column, values)
        return dataset.select(self._order)

    def _references(self, dataset: Any, batch_size: int) -> dict[str, list[float]]:
        """What the start makes of each pair; every process does its share, all of them as many batches."""
        count, processes = len(dataset), self.accelerator.num_processes
        own = [place % count for place in range(self.accelerator.process_index, count + -count % processes, processes)]
        found = list[tuple[int, float, float]]()
        with self.placed() as model:
            for first in range(0, len(own), batch_size):
                places = own[first : first + batch_size]
                batch = self._prepare_inputs(self.data_collator([dataset[place] for place in places]))
                logps = self.compute_ref_log_probs(model, batch)
                found += zip(places, *(each.tolist() for each in logps), strict=True)
        known = {place: values for place, *values in gather_object(found)}
        ordered = [known[place] for place in range(count)]
        return {name: [values[side] for values in ordered] for side, name in enumerate(_REFERENCES)}

    def _compute_loss(self, model: Any, inputs: Any, return_outputs: bool) -> Any:
        """TRL's loss, and that of plain fine-tuning on the better sides: means over all processes, without blanks."""
        asked = _Asked(model)
        mean = super()._compute_loss(asked, inputs, False)
        better = inputs["completion_mask"][:, 1:].chunk(2)[0]
        said = -(asked.answer.log_probs[:, -better.size(1) :].chunk(2)[0] * better).sum()
        count, pairs = len(better), better.any(1).sum()
        all_pairs, all_tokens = self.over_all(pairs, better.sum())
        for name in _REPORTED:  # a blank adds nothing to a sum
            self._metrics["train"][name][-1] *= float(count * self.accelerator.num_processes / all_pairs)
        preferred = mean * count - (count - pairs) * loss_of_blank(self._settings)
        return self.of_all(preferred, all_pairs) + self._settings.sft_weight * self.of_all(said, all_tokens)


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
