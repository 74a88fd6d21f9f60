"""Supervised fine-tuning on TRL's trainer (Agent-R equation 6, section 4.2).

TRL gets token ids and labels that are made here: its own masks (``assistant_only_loss``) would train the bad start of
a revision trajectory, which is an assistant turn too.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from agentr_training.model import load_tokenizer
from agentr_training.model_trainer import ModelTrainer, here
from agentr_training.watching import InOrder, Watch

from agentr_core import (
    AgentrError,
    Checkpoint,
    Example,
    NothingToDo,
    PluginConfig,
    RenderedExample,
    Report,
    TrainingSet,
    UsageError,
    check_rendered,
    render_example,
)
from agentr_sft.config import SFTSettings

import datasets  # isort: skip - these come after agentr_training.model, which sets how torch's threads wait
import transformers
import trl


class SFT(ModelTrainer[SFTSettings, TrainingSet]):
    """Fine-tunes a causal language model on the trained turns of conversations."""

    name = "sft"
    config_class: ClassVar[type[PluginConfig]] = SFTSettings

    def too_long(self, examples: Sequence[Example], start: Checkpoint) -> Mapping[int, int]:
        """See :meth:`agentr_core.Trainer.too_long`: what :meth:`render` leaves out."""
        start, options = here(start), self.options(start)
        tokenizer, limit = load_tokenizer(start.model), self.limit_of(start.model)
        found: dict[int, int] = {}
        for number, example in enumerate(examples):
            with _naming(number + 1, example):
                rows = render_example(example, tokenizer, max_length=limit, options=options)
                if not rows and any(message.train for message in example.messages):
                    found[number] = _length(example, tokenizer, options)
        return found

    def steps(self, conversations: int, iteration: int) -> int | None:
        """See :meth:`agentr_core.Trainer.steps`; None where that depends on what the conversations are."""
        batch = self.config.batch_size * self.config.accumulate
        unknown = self.config.packing or self.config.trained_tokens is not None
        return None if unknown else math.ceil(self.config.epochs_at(iteration) * conversations / batch)

    def render(
        self, dataset: TrainingSet, tokenizer: Any, max_length: int, options: Mapping[str, Any] | None = None
    ) -> tuple[list[RenderedExample], dict[str, float]]:
        """Token ids and labels of all conversations that fit, each row proved, and what became of the others.

        The counts: ``examples`` that are trained on in so many ``rows``, ``general`` ones among them, ``shortened``
        ones among them (which go without their oldest steps); ``dropped`` for their length, and ``dropped_turns`` of
        the others (where each turn is a row of its own); ``untrained`` since no turn of theirs carries loss;
        ``max_length``, and ``longest``, the tokens of the longest one that was dropped. Raises
        :class:`~agentr_core.NothingToDo` where none fits.
        """
        rows, trained, too_long, untrained, lost = list[RenderedExample](), list[Example](), list[Example](), 0, 0
        shortened = 0
        for number, example in enumerate(dataset.examples, 1):
            with _naming(number, example):
                rendered = _proved(example, tokenizer, max_length, options or {})
            wanted = sum(message.train for message in example.messages)
            if rendered:
                rows += rendered
                trained.append(example)
                shortened += any(row.left_out for row in rendered)
                lost += wanted - sum(len(row.turns) for row in rendered)
            elif wanted:
                too_long.append(example)
            else:
                untrained += 1
        longest = max((_length(example, tokenizer, options or {}) for example in too_long), default=0)
        if not rows:
            raise NothingToDo(self._none_fits(len(dataset.examples), max_length, longest))
        counts = {
            "examples": len(trained),
            "rows": len(rows),
            "general": sum(example.kind == "general" for example in trained),
            "shortened": shortened,
            "dropped": len(too_long),
            "dropped_turns": lost,
            "untrained": untrained,
            "max_length": max_length,
            "longest": longest,
        }
        return rows, {name: float(count) for name, count in counts.items()}

    def _none_fits(self, total: int, max_length: int, longest: int) -> str:
        if not longest:
            return f"none of the {total:,} conversations has a turn to train"
        if max_length < self.config.max_length:
            return f"none of the {total:,} conversations fits the model's context of {max_length:,} tokens"
        return (
            f"none of the {total:,} conversations fits max_length={max_length} (the longest has {longest:,} tokens); "
            "raise the trainer's max_length"
        )

    def trainer(
        self,
        model: Any,
        tokenizer: Any,
        rows: list[RenderedExample],
        arguments: Any,
        epochs: float,
        report: Report | None = None,
    ) -> Any:
        """TRL's trainer over ``rows``, which it takes as they are."""
        columns = {"input_ids": [list(row.input_ids) for row in rows], "labels": [list(row.labels) for row in rows]}
        data = datasets.Dataset.from_dict(columns)

        def order(lengths: Sequence[int]) -> list[int]:
            return self.order(lengths, epochs, arguments)

        made = _InOrder(
            order,
            model=model,
            args=arguments,
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[Watch(report, epochs)],
            peft_config=self.adapters(),
        )
        made.remove_callback(transformers.PrinterCallback)
        return made

    def arguments(self, checkpoints: Path, epochs: float, seed: int) -> Any:
        """TRL's settings. All epochs are laid out in one; see :meth:`ModelTrainer.order`."""
        values = {
            **self.shared_arguments(checkpoints, seed),
            "max_length": self.config.max_length,
            "packing": self.config.packing,
        }
        return self.made_arguments(trl.SFTConfig, values)

    def tokens(self, rows: list[RenderedExample]) -> int:
        """See :meth:`ModelTrainer.tokens`."""
        return sum(len(row.trained) for row in rows)


class _InOrder(InOrder, trl.SFTTrainer):  # type: ignore[misc]
    """TRL's trainer over rows, or packs of them, in an order that is made of their lengths."""

    def __init__(self, order: Callable[[Sequence[int]], list[int]], **given: Any) -> None:
        self._order, self._packing = order, given["args"].packing
        super().__init__(**given)

    def _prepare_dataset(self, dataset: Any, *more: Any, **named: Any) -> Any:
        """The rows as often as they are trained on; the place behind the last has a token that carries no loss."""
        rows = super()._prepare_dataset(dataset, *more, **named) if self._packing else dataset
        nothing = {"input_ids": [[0]], "labels": [[-100]], "seq_lengths": [[1]]}
        columns = {name: nothing[name] for name in rows.column_names}
        blank = datasets.Dataset.from_dict(columns, features=rows.features)
        lengths = [len(ids) for ids in rows["input_ids"]]
        return datasets.concatenate_datasets([rows, blank]).select(self._order(lengths))


@contextmanager
def _naming(number: int, example: Example) -> Iterator[None]:
    """Says of an error which conversation of the dataset it is about."""
    origin = ", ".join(
        f"{key} {example.origin[key]}" for key in ("file", "line", "entry", "tree") if key in example.origin
    )
    which = f"conversation {number} of the dataset" + (f" ({origin})" if origin else "")
    try:
        yield
    except AgentrError as error:
        raise (UsageError if isinstance(error, UsageError) else AgentrError)(f"{which}: {error}") from error
    except Exception as error:  # a template raises whatever jinja raises
        raise UsageError(f"{which} is refused by the model's chat template: {error}") from error


def _proved(
    example: Example, tokenizer: Any, max_length: int, options: Mapping[str, Any]
) -> tuple[RenderedExample, ...]:
    """The rows of a conversation, their masks proved; none where it does not fit or nothing is to be trained."""
    rows = render_example(example, tokenizer, max_length=max_length, options=options)
    for row in rows:
        check_rendered(example, row, tokenizer, options=options)
    return rows


def _length(example: Example, tokenizer: Any, options: Mapping[str, Any]) -> int:
    """Tokens of a conversation's longest row, where there is no limit."""
    whole = render_example(example, tokenizer, max_length=sys.maxsize, options=options)
    return max((len(row.input_ids) for row in whole), default=0)
