"""Supervised fine-tuning on TRL's trainer (Agent-R equation 6, section 4.2).

TRL gets token ids and labels that are made here: its own masks (``assistant_only_loss``) would train the bad start of
a revision trajectory, which is an assistant turn too.
"""

from __future__ import annotations

import gc
import math
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from agentr_core import (
    AgentrError,
    Checkpoint,
    Example,
    MemoryNeed,
    NothingToDo,
    PluginConfig,
    RenderedExample,
    Report,
    Trainer,
    TrainingSet,
    UsageError,
    boundary,
    check_rendered,
    render_example,
    resolve_model,
)
from agentr_sft.config import SFTSettings
from agentr_sft.identity import identity, weights_folder
from agentr_sft.memory import memory_need
from agentr_sft.model import Folder, check_start, load, load_tokenizer, position_limit, put_in_place
from agentr_sft.order import training_order

import datasets  # isort: skip - these come after agentr_sft.model, which sets how torch's threads wait
import torch
import transformers
import trl
from torch.utils.data import SequentialSampler


class SFT(Trainer[SFTSettings]):
    """Fine-tunes a causal language model. What it leaves in ``out`` is described at :class:`agentr_sft.model.Folder`.

    Under ``accelerate launch`` every process calls :meth:`train`; the first one writes and reports.
    """

    config_class: ClassVar[type[PluginConfig]] = SFTSettings

    def train(
        self,
        dataset: TrainingSet,
        start: Checkpoint,
        out: Path,
        *,
        resume: bool,
        seed: int = 0,
        report: Report | None = None,
    ) -> Checkpoint:
        """See :meth:`agentr_core.Trainer.train`. With ``resume``, a training that is over is not done again."""
        start = _here(start)
        if not dataset.examples:
            raise NothingToDo("there is nothing to train on: the dataset is empty")
        folder, seed, options = Folder(out), seed % 2**32, self._options(start)
        try:
            with _quiet(), boundary(AgentrError, "the training failed"):
                arguments = self.arguments(folder.checkpoints, self.config.epochs_at(start.iteration + 1), seed)
                with arguments.main_process_first():
                    if arguments.process_index == 0:
                        settings = self.config.model_copy(update={"template_options": options})
                        precision = "bf16" if arguments.bf16 else "fp32"
                        shared = identity(settings, start, dataset.content_hash, seed, arguments.world_size, precision)
                        folder.prepare(shared, start.path, resume=resume)
                result = folder.finished() or self._train(dataset, start, folder, arguments, report)
        finally:
            gc.collect()  # models and trainers refer to themselves
        return Checkpoint(
            model=str(folder.model),
            base_model=start.base_model,
            iteration=start.iteration + 1,
            template_options=start.template_options,
            **result,
        )

    def check(self, start: Checkpoint, instructions: str) -> str:
        """See :meth:`agentr_core.Trainer.check`: what becomes of conversations in the model's chat template."""
        return check_start(_here(start).model, self._options(start), instructions, max_length=self.config.max_length)

    def memory(self, start: Checkpoint) -> MemoryNeed | None:
        """See :meth:`agentr_core.Trainer.memory`; None for a model that is not here yet."""
        folder = weights_folder(_here(start).model)
        bf16 = self.config.precision == "bf16" or (self.config.precision == "auto" and _has_bf16())
        return None if folder is None else memory_need(self.config, folder, bf16=bf16)

    def too_long(self, examples: Sequence[Example], start: Checkpoint) -> Mapping[int, int]:
        """See :meth:`agentr_core.Trainer.too_long`: what :meth:`render` leaves out."""
        start, options = _here(start), self._options(start)
        tokenizer, limit = load_tokenizer(start.model), self._limit(position_limit(start.model))
        found: dict[int, int] = {}
        for number, example in enumerate(examples):
            with _naming(number + 1, example):
                rows = render_example(example, tokenizer, max_length=limit, options=options)
                if not rows and any(message.train for message in example.messages):
                    found[number] = _length(example, tokenizer, options)
        return found

    def _limit(self, context: int | None) -> int:
        """Tokens of a row at the most: by the setting, and by what the model reads."""
        return min(self.config.max_length, context or self.config.max_length)

    def steps(self, conversations: int, iteration: int) -> int | None:
        """See :meth:`agentr_core.Trainer.steps`; None with packing, and where a turn may be a row of its own."""
        batch = self.config.batch_size * self.config.accumulate
        return None if self.config.packing else math.ceil(self.config.epochs_at(iteration) * conversations / batch)

    def _options(self, start: Checkpoint) -> dict[str, Any]:
        """The policy's template options, or the trainer's own where the policy's are not known."""
        own, asked_with = self.config.template_options, start.template_options
        if asked_with is not None and own and own != asked_with:
            raise UsageError(
                f"sft.template_options: {own} are not those of the policy ({asked_with}), so training would go on from "
                "other prompts than the search; leave them out, and the policy's are used"
            )
        return own if asked_with is None else asked_with

    def _train(
        self, dataset: TrainingSet, start: Checkpoint, folder: Folder, arguments: Any, report: Report | None
    ) -> dict[str, Any]:
        model, tokenizer = load(start.model, torch.bfloat16 if self.config.weights == "bf16" else torch.float32)
        limit = self._limit(getattr(model.config, "max_position_embeddings", None))
        use_cache = getattr(model.config, "use_cache", True)  # training turns it off
        rows, counts = self.render(dataset, tokenizer, limit, self._options(start))
        if report is not None and arguments.process_index == 0:
            report(0, {**counts, "progress": 0.0})
        epochs = self.config.epochs_at(start.iteration + 1)
        trainer = self.trainer(model, tokenizer, rows, arguments, epochs, report)
        trainer.train(resume_from_checkpoint=folder.newest_checkpoint())
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        metrics = {
            "loss_first": losses[0],
            "loss_last": losses[-1],
            "loss_mean": math.fsum(losses) / len(losses),
            **counts,
            "trained_tokens": float(sum(len(row.trained) for row in rows)),
        }
        result = {"step": int(trainer.state.global_step), "metrics": metrics}
        model.config.use_cache = use_cache
        self._save(trainer, tokenizer, folder, result)
        return result

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
        if not self.config.packing:  # packs are made once, and drawn by the trainer
            lengths, batch = [len(row.input_ids) for row in rows], self.config.batch_size * arguments.world_size
            group = self.config.group_by_length
            data = data.select(training_order(lengths, epochs, arguments.seed, batch=batch, group=group))
        made = (trl.SFTTrainer if self.config.packing else _InOrder)(
            model=model,
            args=arguments,
            train_dataset=data,
            processing_class=tokenizer,
            callbacks=[_Watch(report, epochs)],
            peft_config=self._adapters(),
        )
        made.remove_callback(transformers.PrinterCallback)
        return made

    def arguments(self, checkpoints: Path, epochs: float, seed: int) -> Any:
        """TRL's settings. Without packing all epochs are laid out in one; see :meth:`trainer`."""
        config, on_gpu = self.config, torch.cuda.is_available()
        # The setting has two names: transformers warns about the old one, older versions know no other.
        names = {"gradient_checkpointing", "activation_checkpointing"} & set(trl.SFTConfig.__dataclass_fields__)
        made = trl.SFTConfig(
            **dict.fromkeys(names, config.gradient_checkpointing),
            output_dir=str(checkpoints),
            learning_rate=config.learning_rate,
            num_train_epochs=epochs if config.packing else 1,
            per_device_train_batch_size=config.batch_size,
            gradient_accumulation_steps=config.accumulate,
            max_length=config.max_length,
            packing=config.packing,
            dataset_kwargs=None if config.packing else {"skip_prepare_dataset": True},
            lr_scheduler_type=config.schedule,
            warmup_steps=config.warmup_ratio,
            weight_decay=config.weight_decay,
            max_grad_norm=config.clip,
            bf16=config.precision == "bf16" or (config.precision == "auto" and _has_bf16()),
            save_strategy="steps",
            save_steps=config.save_steps,
            save_total_limit=1,
            logging_steps=config.log_steps,
            logging_first_step=True,
            logging_nan_inf_filter=False,
            report_to="none",
            disable_tqdm=True,
            use_cpu=not on_gpu,
            dataloader_pin_memory=on_gpu,
            seed=seed,
            data_seed=seed,
        )
        if made.n_gpu > 1:  # without a launcher, one process trains on one GPU
            made._n_gpu = 1
        return made

    def _adapters(self) -> Any:
        if not self.config.lora:
            return None
        from peft import LoraConfig

        return LoraConfig(
            r=self.config.lora_rank,
            lora_alpha=self.config.lora_alpha,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )

    def _save(self, trainer: Any, tokenizer: Any, folder: Folder, result: Mapping[str, Any]) -> None:
        """Write the whole model beside its place, then move it there; every process takes part."""
        trainer.save_model(str(folder.making))
        if trainer.accelerator.is_main_process:
            if self.config.lora:
                put_in_place(folder.making, folder.adapter)
                merged = trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
                merged.save_pretrained(folder.making)
                tokenizer.save_pretrained(folder.making)
            folder.finish(result)
        trainer.accelerator.wait_for_everyone()


def _here(start: Checkpoint) -> Checkpoint:
    """A start with the folder that its model's short name stands for."""
    return start.model_copy(update={"model": str(resolve_model(start.model))})


class _InOrder(trl.SFTTrainer):  # type: ignore[misc]
    """Goes through its rows as they lie, which a training that goes on can count off."""

    def _get_train_sampler(self, *_: Any) -> SequentialSampler:
        return SequentialSampler(self.train_dataset)


class _Watch(transformers.TrainerCallback):  # type: ignore[misc]
    """Stops a training that diverges, and passes what the trainer logs on to the core."""

    def __init__(self, report: Report | None, epochs: float) -> None:
        self._report, self._epochs = report, epochs

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Called by the trainer every ``log_steps`` steps."""
        if not logs or "loss" not in logs:
            return
        if not math.isfinite(logs["loss"]):
            raise AgentrError(
                f"the training diverged: the loss is {logs['loss']} at step {state.global_step}; "
                "lower the trainer's learning_rate, or set its precision to fp32"
            )
        if self._report is not None and state.is_world_process_zero:
            names = ("loss", "grad_norm", "learning_rate", "mean_token_accuracy")
            metrics = {name: float(logs[name]) for name in names if name in logs}
            progress = state.global_step / max(1, state.max_steps)
            self._report(state.global_step, {**metrics, "epoch": progress * self._epochs, "progress": progress})

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """No checkpoint after the last step: a training that goes on from one would take a step too many."""
        if state.global_step >= state.max_steps:
            control.should_save = False


def _has_bf16() -> bool:
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


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


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars or advice of the libraries on the terminal; their errors are exceptions."""
    before = transformers.logging.get_verbosity()
    bars = datasets.utils.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        transformers.logging.set_verbosity(before)
        if bars:
            datasets.enable_progress_bars()


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
