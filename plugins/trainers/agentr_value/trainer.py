"""A value model: the policy itself answers whether an attempt will succeed (soft cross-entropy on two tokens).

Nothing is added to the model, so any policy that tells log-probabilities reads it, and an engine shares its prefixes
with the search. It acts no better for it: it is a model to ask, not one to go on from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from agentr_training.model_trainer import ModelTrainer
from agentr_training.value_question import probability
from agentr_training.watching import InOrder, Watch

from agentr_core import ChatPrompts, Checkpoint, NothingToDo, PluginConfig, Report, ValueSet
from agentr_value.config import ValueSettings
from agentr_value.measures import measures
from agentr_value.states import BLANK, State, States, render_states

import torch  # isort: skip - these come after agentr_training, which sets how torch's threads wait
import transformers


class ValueTrainer(ModelTrainer[ValueSettings, ValueSet]):
    """Teaches a model what the states of the trees are worth."""

    name = "value"
    reads = "values"
    config_class: ClassVar[type[PluginConfig]] = ValueSettings
    holds_logits = False

    def check(self, start: Checkpoint, instructions: str) -> str:
        """See :meth:`ModelTrainer.check`: what the model is for is said with it."""
        told = super().check(start, instructions)
        return f"{told}; the model will say what states are worth (critic 'progress'), it is none to act with"

    def render(
        self, dataset: ValueSet, tokenizer: Any, max_length: int, options: Mapping[str, Any] | None = None
    ) -> tuple[States, dict[str, float]]:
        """See :meth:`ModelTrainer.render`; ``examples`` are trained on, ``held_out`` ones are measured on."""
        prompts = ChatPrompts(tokenizer, options or {}, "the start")
        states, counts = render_states(dataset, prompts, self.config, max_length=max_length)
        if not states.trained:
            raise NothingToDo(
                f"none of the {len(dataset):,} states is left to train on ({counts['dropped']:,} are longer than "
                f"value.max_length={max_length}, {len(states.held_out):,} are of tasks that are measured on); raise "
                "value.max_length, lower value.held_out or search more tasks"
            )
        counts |= Counter(examples=len(states.trained), held_out=len(states.held_out), dropped=counts["dropped"])
        return states, {**{name: float(count) for name, count in counts.items()}, "max_length": float(max_length)}

    def trainer(
        self, model: Any, tokenizer: Any, rows: States, arguments: Any, epochs: float, report: Report | None = None
    ) -> Any:
        """See :meth:`ModelTrainer.trainer`."""
        order = self.order([len(row.ids) for row in rows.trained], epochs, arguments)
        made = _OverStates(
            rows.answers,
            model=self.with_adapters(model, arguments.seed),
            args=arguments,
            train_dataset=[[*rows.trained, BLANK][place] for place in order],
            data_collator=Collator(tokenizer.pad_token_id),
            processing_class=tokenizer,
            callbacks=[Watch(report, epochs)],
        )
        made.remove_callback(transformers.PrinterCallback)
        return made

    def arguments(self, checkpoints: Path, epochs: float, seed: int) -> Any:
        """See :meth:`ModelTrainer.arguments`."""
        values = {**self.shared_arguments(checkpoints, seed), "remove_unused_columns": False}
        return self.made_arguments(transformers.TrainingArguments, values)

    def tokens(self, rows: States) -> int:
        """See :meth:`ModelTrainer.tokens`: one answer a state."""
        return len(rows.trained)

    def after(self, trainer: Any, rows: States) -> dict[str, float]:
        """See :meth:`ModelTrainer.after`: :func:`agentr_value.measures.measures` on tasks that were not trained on."""
        expected = trainer.expected(rows.held_out, self.config.batch_size) if rows.held_out else []
        return measures(rows.held_out, expected)


@dataclass(frozen=True, slots=True)
class Collator:
    """States as one batch, padded at the left: the answer is what follows the last place of each row."""

    pad: int

    def __call__(self, states: Sequence[State]) -> dict[str, torch.Tensor]:
        """``input_ids``, ``attention_mask`` and ``position_ids`` of shape (B, T); ``values``, ``weights`` (B,)."""
        longest = max(len(state.ids) for state in states)
        ids = [[*[self.pad] * (longest - len(state.ids)), *state.ids] for state in states]
        mask = torch.tensor([[0] * (longest - len(state.ids)) + [1] * len(state.ids) for state in states])
        return {
            "input_ids": torch.tensor(ids),
            "attention_mask": mask,
            "position_ids": (mask.cumsum(1) - 1).clamp(min=0),
            "values": torch.tensor([state.value for state in states]),
            "weights": torch.tensor([state.weight for state in states]),
        }


class _OverStates(InOrder, transformers.Trainer):  # type: ignore[misc]
    """transformers' trainer with the soft cross-entropy of yes and no."""

    def __init__(self, answers: tuple[int, int], **given: Any) -> None:
        super().__init__(**given)
        self._answers = list(answers)
        self.model_accepts_loss_kwargs = False  # the loss is a mean over rows: the trainer divides by steps added up

    def answers(self, model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """Log-probabilities of yes and of no, (B, 2), among all that the model could say."""
        given = {name: batch[name] for name in ("input_ids", "attention_mask", "position_ids")}
        logits: torch.Tensor = model(**given, logits_to_keep=1).logits[:, -1].float()
        return logits.log_softmax(-1)[:, self._answers]

    def compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean over the rows of all processes, by weight, of - V log p(yes) - (1 - V) log p(no)."""
        found, values, weights = self.answers(model, inputs), inputs["values"], inputs["weights"]
        rows = -(values * found[:, 0] + (1.0 - values) * found[:, 1])
        (weight,) = self.over_all(weights.sum())
        loss = self.of_all((weights * rows).sum(), weight)
        return (loss, None) if return_outputs else loss

    def expected(self, states: Sequence[State], batch_size: int) -> list[float]:
        """The probability of yes in each state."""
        found = list[float]()
        self.model.eval()
        with torch.no_grad(), self.compute_loss_context_manager():
            for first in range(0, len(states), batch_size):
                batch = self._prepare_inputs(self.data_collator(states[first : first + batch_size]))
                found += [probability(yes, no) for yes, no in self.answers(self.model, batch).cpu().tolist()]
        return found
