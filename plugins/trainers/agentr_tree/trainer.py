"""Policy gradient on search trees: actions that came to more than their siblings become likelier.

    L = - sum over actions of reach x share / Z x sum over their tokens of min(r A, clip(r) A)

with A(c) = [Q(c) - b(s)] + whole_tree [Q(c) - V(root)], r the ratio to the probability at which a token was drawn, and
Z one number for the whole set. No KL term, and no division by a standard deviation: rewards lie in [0, 1] already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from agentr_training.model_trainer import ModelTrainer
from agentr_training.padding import padded
from agentr_training.watching import InOrder, Watch

from agentr_core import ActionSet, NothingToDo, PluginConfig, Report, UsageError
from agentr_tree.actions import BLANK, Row, Turn, render_actions, render_conversations
from agentr_tree.config import TreeSettings
from agentr_tree.objective import objective

import torch  # isort: skip - these come after agentr_training, which sets how torch's threads wait
import transformers
from trl.trainer import add_fused_lm_head

#: What is reported of a step besides the loss.
_REPORTED = ("clipped", "entropy", "kl")


class TreeTrainer(ModelTrainer[TreeSettings, ActionSet]):
    """Learns from every evaluated action of the trees, by how much better or worse it was."""

    name = "tree"
    reads = "actions"
    config_class: ClassVar[type[PluginConfig]] = TreeSettings
    holds_logits = False

    @property
    def mixes_conversations(self) -> bool:
        """See :attr:`agentr_core.Trainer.mixes_conversations`: with ``revision_weight``."""
        return self.config.revision_weight > 0.0

    def prepare(self, dataset: ActionSet, start: Any) -> None:
        """See :meth:`ModelTrainer.prepare`."""
        self.check_sampling(dataset.origin.get("sampling", {}))

    def check_sampling(self, sampling: Mapping[str, float | None]) -> None:
        """See :meth:`agentr_core.Trainer.check_sampling`: the ratio is one of probabilities that were sampled from."""
        if self.config.loss == "pg" and (sampling.get("temperature"), sampling.get("top_p")) != (1.0, 1.0):
            told = ", ".join(f"{name} {'unknown' if value is None else value}" for name, value in sampling.items())
            raise UsageError(
                f"trees that are sampled at {told or 'an unknown temperature'} hold log-probabilities that are not "
                "those of what was drawn; search at temperature 1 and top_p 1, or set tree.loss=awr"
            )

    def render(
        self, dataset: ActionSet, tokenizer: Any, max_length: int, options: Mapping[str, Any] | None = None
    ) -> tuple[list[Row], dict[str, float]]:
        """See :meth:`ModelTrainer.render`; the counts are those of :func:`agentr_tree.actions.render_actions`."""
        given: dict[str, Any] = {"max_length": max_length, "options": options or {}}
        rows, counts = render_actions(dataset, tokenizer, self.config, **given)
        if not rows:
            raise NothingToDo(_none_left(len(dataset), counts, max_length))
        if counts["moved"] > counts["actions"]:
            raise UsageError(
                f"{counts['moved']:,} of {len(dataset):,} prompts are rendered to another length than they were asked "
                "with; train with the policy's own template options, or set tree.loss=awr where only texts are kept"
            )
        counts["examples"], counts["rows"] = counts.pop("actions"), len(rows)
        counts["dropped"] += 0  # said where it is none, too
        if self.mixes_conversations and dataset.conversations is not None:
            beside = render_conversations(dataset.conversations, tokenizer, self.config.revision_weight, **given)
            counts["conversations"] = len(beside)
            rows = rows + beside
        return rows, {**{name: float(count) for name, count in counts.items()}, "max_length": float(max_length)}

    def trainer(
        self,
        model: Any,
        tokenizer: Any,
        rows: list[Row],
        arguments: Any,
        epochs: float,
        report: Report | None = None,
    ) -> Any:
        """See :meth:`ModelTrainer.trainer`."""
        order = self.order([len(row.ids) for row in rows], epochs, arguments)
        add_fused_lm_head(model, outputs=("log_probs", "entropy"))  # before adapters are put around the model
        made = _OverActions(
            self.config,
            model=self.with_adapters(model, arguments.seed),
            args=arguments,
            train_dataset=[[*rows, BLANK][place] for place in order],
            data_collator=Collator(tokenizer.pad_token_id),
            processing_class=tokenizer,
            callbacks=[Watch(report, epochs, _REPORTED)],
        )
        made.remove_callback(transformers.PrinterCallback)
        return made

    def arguments(self, checkpoints: Path, epochs: float, seed: int) -> Any:
        """See :meth:`ModelTrainer.arguments`."""
        values = {**self.shared_arguments(checkpoints, seed), "remove_unused_columns": False}
        return self.made_arguments(transformers.TrainingArguments, values)

    def before(self, trainer: Any, rows: list[Row]) -> dict[str, float]:
        """See :meth:`ModelTrainer.before`: how far the start is from what drew the actions.

        Raises :class:`~agentr_core.UsageError` above the bounds: other weights, another template or type of numbers.
        """
        if self.config.loss != "pg":
            return {}
        known = [row for row in rows if any(turn.by_ratio for turn in row.turns)]
        found = drift(trainer, known[: self.config.checked_rows], self.config.batch_size)
        trainer.limits.entropy_before = found["entropy_before"]
        if found["drift"] > self.config.max_drift or found["far"] > self.config.max_far:
            raise UsageError(
                f"the model that training starts from is not the one that drew the actions, or reads them otherwise: "
                f"log-probabilities are {found['drift']:.3f} apart in the mean (tree.max_drift="
                f"{self.config.max_drift:g}), {100 * found['far']:.1f}% of tokens by a factor of 2 (tree.max_far="
                f"{self.config.max_far:g}); start from the model that grew the trees, or set tree.loss=awr"
            )
        return found

    def tokens(self, rows: list[Row]) -> int:
        """See :meth:`ModelTrainer.tokens`."""
        return sum(row.tokens for row in rows)

    def after(self, trainer: Any, rows: list[Row]) -> dict[str, float]:
        """See :meth:`ModelTrainer.after`: where the last step had come to."""
        logged = [entry for entry in trainer.state.log_history if "kl" in entry]
        last = {name: float(logged[-1][name]) for name in _REPORTED} if logged else {}
        ended = trainer.limits.metrics() if self.config.loss == "pg" else {}
        return {**last, **ended}


def _none_left(total: int, counts: Mapping[str, int], max_length: int) -> str:
    reason = max(counts, key=lambda name: counts[name])
    ways = {
        "unknown": "token ids and log-probabilities are not stored (the policy told none); set tree.loss=awr",
        "dropped": f"they are longer than tree.max_length={max_length}; raise it",
        "moved": "their prompts are rendered to another length than they were asked with; set tree.loss=awr",
        "cut_off": "their turns had become too long; give the search more tokens (max_tokens)",
    }
    why = ways.get(reason, "none came to more than another")
    return f"none of the {total:,} actions can be learnt from: of {counts[reason]:,}, {why}"


def drift(trainer: Any, rows: Sequence[Row], batch_size: int) -> dict[str, float]:
    """How the model's log-probabilities differ from the stored ones: mean and largest difference, share far off.

    And the mean entropy of a token, ``entropy_before`` the training.
    """
    differences, entropies = list[torch.Tensor](), list[torch.Tensor]()
    collate = trainer.data_collator
    trainer.model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager(), trainer.placed() as model:
        for first in range(0, len(rows), batch_size):
            batch = trainer._prepare_inputs(collate(rows[first : first + batch_size]))
            logprobs, entropy, mask = _scored(model, batch)
            differences.append((logprobs - batch["old"][:, 1:])[mask].float().cpu())
            entropies.append(entropy[mask].float().cpu())
    trainer.model.train()
    apart = torch.cat(differences).abs()
    return {
        "drift": float(apart.mean()),
        "drift_largest": float(apart.max()),
        "far": float((apart > torch.log(torch.tensor(2.0))).float().mean()),
        "entropy_before": float(torch.cat(entropies).mean()),
    }


def _scored(model: Any, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Log-probabilities and entropy of each token but the first, (rows, T - 1), and which of them are trained."""
    labels = batch["input_ids"].masked_fill(batch["turns"] == 0, -100)
    given = {name: batch[name] for name in ("input_ids", "attention_mask")}
    found = model(**given, labels=labels, fused_lm_head=True)
    return found.log_probs, found.entropy, batch["turns"][:, 1:] > 0


@dataclass(frozen=True, slots=True)
class Collator:
    """Rows as one batch, padded at the right."""

    pad: int

    def __call__(self, rows: Sequence[Row]) -> dict[str, torch.Tensor]:
        """Tensors of shape (B, T); ``turns`` numbers the turns of a row from 1, and is 0 where nothing is trained."""

        def column(values: Callable[[int, Turn], Iterable[float]], dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return padded([row.per_token(values) for row in rows], 0.0, dtype)

        return {
            "input_ids": padded([row.ids for row in rows], self.pad),
            "attention_mask": padded([[1] * len(row.ids) for row in rows], 0),
            "turns": column(lambda number, turn: [number] * turn.tokens, torch.long),
            "old": column(lambda _, turn: turn.old or [0.0] * turn.tokens),
            "advantages": column(lambda _, turn: [turn.advantage] * turn.tokens),
            "weights": column(lambda _, turn: [turn.weight] * turn.tokens),
            "by_ratio": column(lambda _, turn: [turn.by_ratio] * turn.tokens, torch.bool),
        }


class Limits(transformers.TrainerCallback):  # type: ignore[misc]
    """Ends a training that has gone too far from what drew the actions, where the ratio means nothing, or whose model
    has hardly a choice left, so that the next search would draw copies.

    Batches are of like length, and the entropy of one says little: so it is that of the last :attr:`WINDOW` logs, which
    checkpoints hold.
    """

    WINDOW = 8

    def __init__(self, settings: TreeSettings) -> None:
        self.most, self.least = settings.max_kl, settings.min_entropy
        self.entropy_before: float | None = None
        self.distances = list[float]()
        self.far = self.low = False

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Looks at the batches of one step."""
        mean = sum(self.distances) / len(self.distances) if self.distances else 0.0
        self.distances.clear()
        if self.most is not None and mean > self.most:
            control.should_training_stop = self.far = True

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Looks at what has been logged so far."""
        lately = [entry["entropy"] for entry in state.log_history if "kl" in entry][-self.WINDOW :]
        if self.least is None or self.entropy_before is None or len(lately) < self.WINDOW:
            return
        if sum(lately) / len(lately) < self.least * self.entropy_before:
            control.should_training_stop = self.low = True

    def metrics(self) -> dict[str, float]:
        """Whether the training ended by one of them."""
        return {"ended_far": float(self.far), "ended_low": float(self.low)}


class _OverActions(InOrder, transformers.Trainer):  # type: ignore[misc]
    """transformers' trainer with the objective of a tree's actions."""

    def __init__(self, settings: TreeSettings, **given: Any) -> None:
        super().__init__(**given)
        self._settings = settings
        self._seen = defaultdict[str, list[float]](list)
        self.limits = Limits(settings)
        self.add_callback(self.limits)
        self.model_accepts_loss_kwargs = False  # the loss is a mean over rows: the trainer divides by steps added up

    def compute_loss(
        self, model: Any, inputs: Mapping[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Minus the mean over the rows of all processes of weight times objective."""
        logprobs, entropy, mask = _scored(model, inputs)
        names = ("old", "turns", "advantages", "by_ratio", "weights")
        old, turns, advantages, by_ratio, weights = (inputs[name][:, 1:] for name in names)
        values, clipped = objective(logprobs, old, turns, advantages, by_ratio, self._settings)
        count = self._note(logprobs, old, mask, entropy, by_ratio, clipped)
        loss = self.of_all(-(weights * values).sum(), count)
        return (loss, None) if return_outputs else loss

    def _note(self, logprobs: Any, old: Any, mask: Any, entropy: Any, by_ratio: Any, clipped: Any) -> torch.Tensor:
        """How many rows there are in all, blanks left out.

        Kept for the next log: share of tokens clipped, entropy, and the distance to what drew them (KL).
        """
        with torch.no_grad():
            drawn = mask & by_ratio
            away = (logprobs - old)[drawn]
            counted = drawn if self._settings.loss == "pg" else mask
            own = (mask.any(1).sum(), counted.sum(), entropy[counted].sum())
            far = (drawn.sum(), (away.exp() - 1 - away).sum(), clipped)
            rows, tokens, entropies, by_ratios, distance, clips = self.over_all(*own, *far)
            if tokens:
                self._seen["entropy"].append(float(entropies / tokens))
            if by_ratios:
                self._seen["kl"].append(float(distance / by_ratios))
                self.limits.distances.append(float(distance / by_ratios))
                self._seen["clipped"].append(float(clips / by_ratios))
        return rows

    def log(self, logs: dict[str, float], *more: Any, **named: Any) -> None:
        """Means since the last log, with the loss."""
        logs |= {name: sum(values) / len(values) for name, values in self._seen.items() if values}
        self._seen.clear()
        super().log(logs, *more, **named)
