"""Supervised fine-tuning on TRL's trainer (Agent-R equation 6, section 4.2).

TRL gets token ids and labels that are made here: its own masks (``assistant_only_loss``) would train the bad start of
a revision trajectory, which is an assistant turn too.
"""

from __future__ import annotations

import gc
import math
import os
import shutil
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from agentr_core import (
    AgentrError,
    Checkpoint,
    NothingToDo,
    PluginConfig,
    RenderedExample,
    Report,
    Trainer,
    TrainingSet,
    UsageError,
    check_rendered,
    render_example,
)
from agentr_sft.config import SFTSettings

# Idle OpenMP threads otherwise spin and starve whatever else runs on the machine.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator


class SFT(Trainer[SFTSettings]):
    """Fine-tunes a causal language model.

    ``out`` holds ``trainer/`` (checkpoints that a killed training goes on from) and, once training is over, ``model/``
    (weights, tokenizer, chat template), which is moved there whole.
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
        """See :meth:`agentr_core.Trainer.train`. A model that is complete in ``out`` is returned as it is."""
        if not dataset.examples:
            raise NothingToDo("there is nothing to train on: the dataset is empty")
        model_folder = out / "model"
        if not resume:
            shutil.rmtree(out, ignore_errors=True)
        with _quiet():
            model, tokenizer = load(start.model)
            rows, dropped = render(dataset, tokenizer, self.config.max_length)
            trainer = self._trainer(model, tokenizer, rows, out, start.iteration + 1, seed, report)
            metrics = self._run(trainer, out, dropped)
            if trainer.accelerator.is_main_process:
                self._save(trainer, tokenizer, out)
            trainer.accelerator.wait_for_everyone()
        step = int(trainer.state.global_step)
        del model, trainer
        gc.collect()
        return Checkpoint(
            model=str(model_folder), base_model=start.base_model, iteration=start.iteration + 1, step=step,
            metrics=metrics,
        )  # fmt: skip

    def _trainer(
        self,
        model: Any,
        tokenizer: Any,
        rows: list[RenderedExample],
        out: Path,
        iteration: int,
        seed: int,
        report: Report | None,
    ) -> Any:
        from datasets import Dataset
        from trl import SFTTrainer

        columns = {"input_ids": [list(row.input_ids) for row in rows], "labels": [list(row.labels) for row in rows]}
        trainer = SFTTrainer(
            model=model,
            args=self._arguments(out, iteration, seed),
            train_dataset=Dataset.from_dict(columns),
            processing_class=tokenizer,
            callbacks=[] if report is None else [_Reporter(report)],
            peft_config=self._adapters(),
        )
        trainer.remove_callback(transformers.PrinterCallback)
        return trainer

    def _arguments(self, out: Path, iteration: int, seed: int) -> Any:
        from trl import SFTConfig

        config = self.config
        on_gpu = torch.cuda.is_available()
        return SFTConfig(
            output_dir=str(out / "trainer"),
            learning_rate=config.learning_rate,
            num_train_epochs=config.epochs_at(iteration),
            per_device_train_batch_size=config.batch_size,
            gradient_accumulation_steps=config.accumulate,
            max_length=config.max_length,
            packing=config.packing,
            lr_scheduler_type=config.schedule,
            warmup_steps=config.warmup_ratio,
            weight_decay=config.weight_decay,
            max_grad_norm=config.clip,
            bf16=self._bf16(on_gpu),
            gradient_checkpointing=config.gradient_checkpointing,
            save_strategy="steps",
            save_steps=config.save_steps,
            save_total_limit=1,
            logging_steps=config.log_steps,
            logging_first_step=True,
            report_to="none",
            disable_tqdm=True,
            use_cpu=not on_gpu,
            dataloader_pin_memory=on_gpu,
            seed=seed,
            data_seed=seed,
        )

    def _bf16(self, on_gpu: bool) -> bool:
        if self.config.precision != "auto":
            return self.config.precision == "bf16"
        return torch.cuda.is_bf16_supported() if on_gpu else torch.cpu._is_avx512_bf16_supported()

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

    def _run(self, trainer: Any, out: Path, dropped: int) -> dict[str, float]:
        result = trainer.train(resume_from_checkpoint=newest_checkpoint(out / "trainer"))
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        if not all(math.isfinite(loss) for loss in losses):
            raise AgentrError("the training loss is not a number; lower sft.learning_rate or set sft.precision=fp32")
        return {
            "loss_first": losses[0] if losses else math.nan,
            "loss_last": losses[-1] if losses else math.nan,
            "loss_mean": float(result.training_loss),
            "dropped": float(dropped),
        }

    def _save(self, trainer: Any, tokenizer: Any, out: Path) -> None:
        """Write the whole model beside its place, then move it there."""
        making, place = out / "model.part", out / "model"
        for folder in (making, place):
            shutil.rmtree(folder, ignore_errors=True)
        model = trainer.accelerator.unwrap_model(trainer.model)
        if self.config.lora:
            model.save_pretrained(out / "adapter")
            model = model.merge_and_unload()
        model.save_pretrained(making)
        tokenizer.save_pretrained(making)
        making.rename(place)


class _Reporter(transformers.TrainerCallback):  # type: ignore[misc]
    """Passes what the trainer logs on to the core, with ``progress`` from 0 to 1."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **_: Any) -> None:
        """Called by the trainer every ``log_steps`` steps."""
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        names = ("loss", "grad_norm", "learning_rate", "epoch")
        metrics = {name: float(logs[name]) for name in names if name in logs}
        self._report(state.global_step, {**metrics, "progress": state.global_step / max(1, state.max_steps)})


def load(model: str) -> tuple[Any, Any]:
    """The model (fp32 weights) and its tokenizer; :class:`UsageError` for what cannot be loaded or has no template."""
    try:
        loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"'{model}' is not a model that can be trained: {reason}") from error
    if not tokenizer.chat_template:
        raise UsageError(f"the tokenizer of '{model}' has no chat template; save one with it")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return loaded, tokenizer


def render(dataset: TrainingSet, tokenizer: Any, max_length: int) -> tuple[list[RenderedExample], int]:
    """Token ids and labels of all conversations that fit, each proved, and how many did not fit."""
    rows = []
    for example in dataset.examples:
        rendered = render_example(example, tokenizer, max_length=max_length)
        if rendered is not None:
            check_rendered(example, rendered, tokenizer)
            rows.append(rendered)
    if not rows:
        raise NothingToDo(f"no conversation fits {max_length} tokens; raise sft.max_length")
    return rows, len(dataset.examples) - len(rows)


def newest_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint that a killed training left, or None."""
    found = [path for path in folder.glob("checkpoint-*") if (path / "trainer_state.json").is_file()]
    newest = max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    return None if newest is None else str(newest)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars or advice of the libraries on the terminal; their errors are exceptions."""
    import datasets

    before = transformers.logging.get_verbosity()
    bars = datasets.utils.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)
        if bars:
            datasets.enable_progress_bars()
