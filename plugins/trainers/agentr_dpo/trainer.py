"""Direct preference optimization on TRL's trainer, with masks and references of our own.

TRL counts everything behind a prompt, the observations of an attempt too, and does not take token ids: so rows are made
here, and a collator hands it the mask. The reference is the model that training starts from. Where it grew the trees,
its log-probabilities of every turn that counts are stored with them, and no forward pass is needed for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from agentr_training.model_trainer import ModelTrainer
from agentr_training.watching import Watch

from agentr_core import NothingToDo, PluginConfig, PreferenceSet, Report
from agentr_dpo.config import DPOSettings
from agentr_dpo.masked import REPORTED, Collator, MaskedTrainer
from agentr_dpo.pairs import BLANK, CROSSED, RenderedPair, columns, crossed, render_pair, taken

import datasets  # isort: skip - these come after agentr_training, which sets how torch's threads wait
import transformers
import trl

#: Losses of our own, and TRL's from which the rest of a step is taken.
_NEAREST = {"kto": "apo_zero"}


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
        made = MaskedTrainer(
            self.config,
            order,
            model=model,
            args=arguments,
            train_dataset=datasets.Dataset.from_dict(self._columns(rows)),
            data_collator=Collator(tokenizer.pad_token_id),
            processing_class=tokenizer,
            callbacks=[Watch(report, epochs, (*REPORTED, "kl"))],
            peft_config=self.adapters(),
        )
        made.remove_callback(transformers.PrinterCallback)
        return made

    def _columns(self, rows: Pairs) -> dict[str, list[Any]]:
        found = columns([*rows.pairs, BLANK], stored=rows.stored)
        if self.config.loss == "kto":
            found |= columns([*crossed(rows.pairs), BLANK], stored=False, prefix=CROSSED)
        return found

    def arguments(self, checkpoints: Path, epochs: float, seed: int) -> Any:
        """See :meth:`ModelTrainer.arguments`."""
        values = {
            **self.shared_arguments(checkpoints, seed),
            "beta": self.config.beta,
            "loss_type": [_NEAREST.get(self.config.loss, self.config.loss)],
            "max_length": None,  # what is longer was left out
            "precompute_ref_log_probs": True,  # one model in memory
            "remove_unused_columns": False,
        }
        return self.made_arguments(trl.DPOConfig, values)

    def tokens(self, rows: Pairs) -> int:
        """See :meth:`ModelTrainer.tokens`: of both sides."""
        return sum(len(row.trained) for pair in rows.pairs for row in (pair.chosen, pair.rejected))

    def after(self, trainer: Any, rows: Pairs) -> dict[str, float]:
        """See :meth:`ModelTrainer.after`: how often the better side had the larger reward in the last step."""
        logged = [entry for entry in trainer.state.log_history if "rewards/accuracies" in entry]
        return {
            "accuracy": float(logged[-1]["rewards/accuracies"]),
            "margin": float(logged[-1]["rewards/margins"]),
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
