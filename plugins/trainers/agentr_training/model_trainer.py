"""One training from start to end, whatever it learns from: begin or go on, train, leave a whole model.

A trainer adds what its rows are (:meth:`ModelTrainer.render`) and how they are learnt from
(:meth:`ModelTrainer.trainer`).
"""

from __future__ import annotations

import gc
import math
import os
import warnings
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from agentr_core import (
    ActionSet,
    AgentrError,
    Checkpoint,
    MemoryNeed,
    NothingToDo,
    PreferenceSet,
    Report,
    Trainer,
    TrainingSet,
    TrainingSpread,
    UsageError,
    ValueSet,
    boundary,
    resolve_model,
)
from agentr_training.config import TrainingSettings
from agentr_training.identity import identity, weights_folder
from agentr_training.job import Job
from agentr_training.launching import train_spread
from agentr_training.memory import memory_need
from agentr_training.model import (
    Folder,
    check_start,
    load_model,
    load_tokenizer,
    position_limit,
    put_in_place,
)
from agentr_training.order import training_order
from agentr_training.spreading import Spread, check_batch, launched, processes_here, sharding_here, spread_of

import datasets  # isort: skip - these come after agentr_training.model, which sets how torch's threads wait
import torch
import transformers

SettingsT = TypeVar("SettingsT", bound=TrainingSettings)
SetT = TypeVar("SetT", bound=TrainingSet | PreferenceSet | ActionSet | ValueSet)


class ModelTrainer(Trainer[SettingsT, SetT], Generic[SettingsT, SetT]):
    """Trains a causal language model. What it leaves in ``out`` is described at :class:`agentr_training.model.Folder`.

    Where the settings ask for several processes, :meth:`train` has them started and passes on what they tell. Each of
    them calls it as well, as one does that ``accelerate launch`` has started by hand; the first one writes and reports.
    """

    #: What it is called where its settings are named: ``sft`` of ``sft.max_length``.
    name: ClassVar[str]
    #: So many rows go through the model for each row of a batch.
    rows_at_once: ClassVar[int] = 1
    #: Whether the logits of a whole row are held, or only those of a few tokens at a time.
    holds_logits: ClassVar[bool] = True

    @abstractmethod
    def render(
        self, dataset: SetT, tokenizer: Any, max_length: int, options: Mapping[str, Any] | None = None
    ) -> tuple[Any, dict[str, float]]:
        """What is trained on, as token ids, and counts of what became of the set's rows.

        Raises :class:`~agentr_core.NothingToDo` where nothing is left.
        """

    @abstractmethod
    def trainer(
        self, model: Any, tokenizer: Any, rows: Any, arguments: Any, epochs: float, report: Report | None = None
    ) -> Any:
        """A trainer of transformers over what :meth:`render` gave."""

    @abstractmethod
    def arguments(self, checkpoints: Path, epochs: float, seed: int) -> Any:
        """The settings of that trainer; see :meth:`shared_arguments`."""

    def prepare(self, dataset: SetT, start: Checkpoint) -> None:
        """Look at a set before a model is loaded. Raises :class:`~agentr_core.UsageError` for what cannot be learnt."""

    @abstractmethod
    def tokens(self, rows: Any) -> int:
        """How many tokens of what :meth:`render` gave carry loss, in one epoch."""

    def before(self, trainer: Any, rows: Any) -> dict[str, float]:
        """Metrics of the model as it is at the start, taken before the first step, in a training that goes on too."""
        return {}

    def after(self, trainer: Any, rows: Any) -> dict[str, float]:
        """Metrics at the end, beside those of the loss."""
        return {}

    def train(
        self,
        dataset: SetT,
        start: Checkpoint,
        out: Path,
        *,
        resume: bool,
        seed: int = 0,
        report: Report | None = None,
    ) -> Checkpoint:
        """See :meth:`agentr_core.Trainer.train`. With ``resume``, a training that is over is not done again."""
        start = here(start)
        if not len(dataset):
            raise NothingToDo("there is nothing to train on: the dataset is empty")
        self.prepare(dataset, start)
        folder, job = Folder(out), Job(self, dataset, start, out, seed % 2**32)
        spread = self._spread()
        try:
            with quiet(), boundary(AgentrError, "the training failed"):
                if spread.launches and not launched():
                    self._begin(job, folder, spread.checkpoints, resume=resume)
                    result = folder.finished() or self._train_spread(job, folder, spread, report)
                else:
                    arguments = self.arguments(folder.checkpoints, self._epochs(start), job.seed)
                    with arguments.main_process_first():
                        if arguments.process_index == 0:
                            self._begin(job, folder, spread.checkpoints, resume=resume)
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

    def spread(self) -> TrainingSpread | None:
        """See :meth:`agentr_core.Trainer.spread`."""
        found = self._spread()
        told = TrainingSpread(found.processes, found.told(), warning=found.idle > 0)
        return told if found.launches or found.idle or self.config.sharding != "ddp" else None

    def _spread(self) -> Spread:
        """The processes that take part; among them, what the launcher has told."""
        if not launched():
            return spread_of(self.config, self.name)
        check_batch(self.config, self.name, processes_here())
        return Spread(processes_here(), sharding_here())

    def _begin(self, job: Job, folder: Folder, checkpoints: str, *, resume: bool) -> None:
        """Make the folder ready for this training, or make sure that it is this one's already."""
        settings = self.config.model_copy(update={"template_options": self.options(job.start)})
        precision = "bf16" if self._in_bf16() else "fp32"
        known = identity(settings, job.start, job.dataset.content_hash, job.seed, precision, checkpoints)
        folder.prepare(known, job.start.path, resume=resume)

    def _train_spread(self, job: Job, folder: Folder, spread: Spread, report: Report | None) -> dict[str, Any]:
        """The training on several processes, which leave the model in the folder."""
        train_spread(job, spread, report)
        result = folder.finished()
        if result is None:
            raise AgentrError(f"the training came to its end, and left no model in '{folder.model}'")
        return result

    def _epochs(self, start: Checkpoint, rows: Any = None) -> float:
        """By the settings: so many, or as many as it takes for so many trained tokens."""
        if rows is None or self.config.trained_tokens is None:
            return self.config.epochs_at(start.iteration + 1)
        return self.config.trained_tokens / max(1, self.tokens(rows))

    def _in_bf16(self) -> bool:
        return self.config.precision == "bf16" or (self.config.precision == "auto" and has_bf16())

    def check(self, start: Checkpoint, instructions: str) -> str:
        """See :meth:`agentr_core.Trainer.check`: what becomes of conversations in the model's chat template."""
        limit = self.config.max_length
        return check_start(here(start).model, self.options(start), instructions, name=self.name, max_length=limit)

    def memory(self, start: Checkpoint) -> MemoryNeed | None:
        """See :meth:`agentr_core.Trainer.memory`; None for a model that is not here yet."""
        folder = weights_folder(here(start).model)
        if folder is None:
            return None
        return memory_need(
            self.config,
            folder,
            self._spread(),
            name=self.name,
            bf16=self._in_bf16(),
            rows=self.rows_at_once,
            logits=self.holds_logits,
        )

    def limit(self, context: int | None) -> int:
        """Tokens of a row at the most: by the setting, and by what the model reads."""
        return min(self.config.max_length, context or self.config.max_length)

    def limit_of(self, model: str) -> int:
        """The same for a model that is not loaded."""
        return self.limit(position_limit(model))

    def options(self, start: Checkpoint) -> dict[str, Any]:
        """The policy's template options, or the trainer's own where the policy's are not known."""
        own, asked_with = self.config.template_options, start.template_options
        if asked_with is not None and own and own != asked_with:
            raise UsageError(
                f"{self.name}.template_options: {own} are not those of the policy ({asked_with}), so training would go "
                "on from other prompts than the search; leave them out, and the policy's are used"
            )
        return own if asked_with is None else asked_with

    def _train(
        self, dataset: SetT, start: Checkpoint, folder: Folder, arguments: Any, report: Report | None
    ) -> dict[str, Any]:
        # What there is to train on first: a large model is not loaded for nothing.
        tokenizer = load_tokenizer(start.model)
        rows, counts = self.render(dataset, tokenizer, self.limit_of(start.model), self.options(start))
        model = load_model(start.model, self._dtype())
        use_cache = getattr(model.config, "use_cache", True)  # training turns it off
        epochs = self._epochs(start, rows)
        trainer = self.trainer(model, tokenizer, rows, arguments, epochs, report)
        counts |= {"epochs": epochs, **self.before(trainer, rows)}
        if report is not None and arguments.process_index == 0:
            report(0, {**counts, "progress": 0.0})
        trainer.train(resume_from_checkpoint=folder.newest_checkpoint())
        losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
        metrics = {
            "loss_first": losses[0],
            "loss_last": losses[-1],
            "loss_mean": math.fsum(losses) / len(losses),
            "trained_tokens": self._trained(rows, epochs, trainer),
            **counts,
            **self.after(trainer, rows),
        }
        result = {"step": int(trainer.state.global_step), "metrics": metrics}
        model.config.use_cache = use_cache
        self._save(trainer, tokenizer, start, folder, result)
        return result

    def _trained(self, rows: Any, epochs: float, trainer: Any) -> float:
        """Trained tokens of the whole training, up to where it ended."""
        return float(round(self.tokens(rows) * epochs * trainer.state.global_step / trainer.state.max_steps))

    def order(self, lengths: Sequence[int], epochs: float, arguments: Any) -> list[int]:
        """The rows of a whole training in order, by their places.

        Where a step is shared out it must be whole: the last one is filled up with the place behind the last row, which
        a trainer gives a row that weighs nothing.
        """
        batch, group = self.config.batch_size, self.config.group_by_length
        found = training_order(lengths, epochs, arguments.seed, batch=batch, group=group)
        return found if arguments.world_size == 1 else [*found, *[len(lengths)] * (-len(found) % batch)]

    def shared_arguments(self, checkpoints: Path, seed: int) -> dict[str, Any]:
        """What transformers' trainers are told, by the settings that all of them have."""
        config, on_gpu = self.config, torch.cuda.is_available()
        return {
            "output_dir": str(checkpoints),
            "learning_rate": config.learning_rate,
            "num_train_epochs": 1,  # all epochs are laid out in one, see training_order
            "per_device_train_batch_size": config.batch_size // processes_here(),
            "gradient_accumulation_steps": config.accumulate,
            "lr_scheduler_type": config.schedule,
            "warmup_steps": config.warmup_ratio,
            "weight_decay": config.weight_decay,
            "max_grad_norm": config.clip,
            "bf16": self._in_bf16(),
            "save_strategy": "steps",
            "save_steps": config.save_steps,
            "save_total_limit": 1,
            "logging_steps": config.log_steps,
            "logging_first_step": True,
            "logging_nan_inf_filter": False,
            "report_to": "none",
            "disable_tqdm": True,
            "use_cpu": not on_gpu,
            "dataloader_pin_memory": on_gpu,
            "seed": seed,
            "data_seed": seed,
        }

    def made_arguments(self, kind: Any, values: Mapping[str, Any]) -> Any:
        """An instance of ``kind``, a class of arguments, with ``values``; it trains on one GPU without a launcher."""
        # The setting has two names: transformers warns about the old one, older versions know no other.
        names = {"gradient_checkpointing", "activation_checkpointing"} & set(kind.__dataclass_fields__)
        made = kind(**dict.fromkeys(names, self.config.gradient_checkpointing), **values)
        if made.n_gpu > 1:
            made._n_gpu = 1
        return made

    def adapters(self) -> Any:
        """What peft is told, where adapters are trained; else None."""
        if not self.config.lora:
            return None
        from peft import LoraConfig

        return LoraConfig(
            r=self.config.lora_rank,
            lora_alpha=self.config.lora_alpha,
            target_modules="all-linear",
            task_type="CAUSAL_LM",
        )

    def with_adapters(self, model: Any, seed: int) -> Any:
        """The model, inside adapters where such are trained."""
        adapters = self.adapters()
        if adapters is None:
            return model
        from peft import get_peft_model

        transformers.set_seed(seed)
        return get_peft_model(model, adapters)

    def _save(self, trainer: Any, tokenizer: Any, start: Checkpoint, folder: Folder, result: Mapping[str, Any]) -> None:
        """Write the whole model beside its place, then move it there; every process takes part."""
        trainer.save_model(str(folder.making))
        if trainer.accelerator.is_main_process:
            if self.config.lora:
                put_in_place(folder.making, folder.adapter)
                self._merged(trainer, start, folder.adapter).save_pretrained(folder.making)
                tokenizer.save_pretrained(folder.making)
            folder.finish(result)
        trainer.accelerator.wait_for_everyone()

    def _merged(self, trainer: Any, start: Checkpoint, adapter: Path) -> Any:
        """The model with its adapter in it; where no process holds it whole, it is read once more for that."""
        if sharding_here() == "ddp":
            return trainer.accelerator.unwrap_model(trainer.model).merge_and_unload()
        from peft import PeftModel

        transformers.integrations.unset_hf_deepspeed_config()  # else it would be read in parts, by all processes
        model = load_model(start.model, self._dtype())
        return PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()

    def _dtype(self) -> torch.dtype:
        return torch.bfloat16 if self.config.weights == "bf16" else torch.float32


def here(start: Checkpoint) -> Checkpoint:
    """A start with the folder that its model's short name stands for."""
    return start.model_copy(update={"model": str(resolve_model(start.model))})


def has_bf16() -> bool:
    """Whether the hardware computes in bfloat16."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars or advice of the libraries on the terminal; their errors are exceptions."""
    tqdm = os.environ.get("TQDM_DISABLE")
    os.environ["TQDM_DISABLE"] = "1"
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
        os.environ.update({"TQDM_DISABLE": tqdm} if tqdm is not None else {})
        if tqdm is None:
            del os.environ["TQDM_DISABLE"]
        if bars:
            datasets.enable_progress_bars()
