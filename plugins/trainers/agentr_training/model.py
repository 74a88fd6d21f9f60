"""The model that is trained: loading it, and leaving it behind whole."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

# Idle OpenMP threads otherwise spin and starve whatever else runs on the machine.
os.environ.setdefault("GOMP_SPINCOUNT", "0")

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from agentr_core import ModelNotHere, ResumeError, UsageError, base_of, template_report, tokenizer_of
from agentr_training.identity import differences

#: In a finished model's folder: the steps and metrics of its training.
_FINISHED = "agentr.json"
#: Beside it, from the start of a training: what a resumed one must share.
_BEGUN = "training.json"


def load(model: str, dtype: torch.dtype) -> tuple[Any, Any]:
    """A causal language model and its tokenizer; :class:`UsageError` for what is none or has no chat template."""
    return load_model(model, dtype), load_tokenizer(model)


def load_model(model: str, dtype: torch.dtype) -> Any:
    """A causal language model; :class:`UsageError` for what is none."""
    try:
        return AutoModelForCausalLM.from_pretrained(model, dtype=dtype)
    except Exception as error:  # OSError, ValueError, safetensors' own errors ...
        raise _no_model(model, error) from error


def load_tokenizer(model: str) -> Any:
    """The tokenizer of a model that is to be trained; :class:`UsageError` where turns cannot be masked with it."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_of(Path(model) if Path(model).is_dir() else model))
    except Exception as error:  # OSError, ValueError, errors of jinja and tokenizers ...
        raise _no_model(model, error) from error
    if not tokenizer.chat_template:
        raise UsageError(f"the tokenizer of '{model}' has no chat template; put a chat_template.jinja beside it")
    if not tokenizer.is_fast:
        raise UsageError(f"the tokenizer of '{model}' gives no offsets, so turns cannot be masked; use a fast one")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def position_limit(model: str) -> int | None:
    """Tokens that a model reads at the most; None where its configuration does not say."""
    try:
        config = AutoConfig.from_pretrained(base_of(Path(model) if Path(model).is_dir() else model))
    except Exception as error:  # as above
        raise _no_model(model, error) from error
    return getattr(config, "max_position_embeddings", None)


def check_start(
    model: str, template_options: Mapping[str, Any], instructions: str, *, name: str, max_length: int
) -> str:
    """What the model's chat template does to training, in one line.

    ``template_options`` are the policy's, ``name`` the trainer's.

    Only the tokenizer is loaded. Raises :class:`UsageError` where it cannot be trained with, or the instructions of a
    task alone fill ``max_length`` tokens.
    """
    report = template_report(load_tokenizer(model), template_options, instructions)
    if report.problem is not None:
        raise UsageError(f"'{model}' cannot be trained: {report.problem}")
    if report.instruction_tokens >= max_length:
        raise UsageError(
            f"{name}.max_length: the instructions alone have {report.instruction_tokens} tokens, so no conversation "
            f"fits {max_length}; raise it"
        )
    return report.describe()


def _no_model(model: str, error: Exception) -> UsageError:
    reason = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    kind = UsageError if Path(model).is_dir() else ModelNotHere
    return kind(f"'{model}' is not a model that can be trained; give a model folder or a hub id ({reason})")


class Folder:
    """Where a training leaves its work.

    ``trainer/`` holds the checkpoints that a killed training goes on from; ``model/`` (weights, tokenizer, chat
    template) is moved there once it is whole, and ``adapter/`` the adapter that was merged into it, if there was one.
    ``processes/`` is there while several processes train, and holds what they read and print.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.model, self.checkpoints, self.adapter = out, out / "model", out / "trainer", out / "adapter"
        self.making = out / "model.part"

    def prepare(self, identity: Mapping[str, Any], start: Path, *, resume: bool) -> None:
        """Clear away an older training, or make sure that the one to go on with is the same.

        Raises :class:`~agentr_core.ResumeError` where it was begun with anything else, and
        :class:`~agentr_core.UsageError` where something else is in the place of what is to be made.
        """
        begun = self.out / _BEGUN
        self._check_is_ours(start)
        if resume and begun.is_file():
            if found := differences(json.loads(begun.read_text()), identity):
                raise ResumeError(
                    f"the training in '{self.out}' was begun with something else ({'; '.join(found)}); name another "
                    "--out for this one, or go on with what it was begun with"
                )
        else:
            for folder in self._made:
                shutil.rmtree(folder, ignore_errors=True)
            self.out.mkdir(parents=True, exist_ok=True)
            _write_json(begun, identity)
        shutil.rmtree(self.making, ignore_errors=True)

    @property
    def _made(self) -> tuple[Path, ...]:
        return self.model, self.checkpoints, self.adapter

    def _check_is_ours(self, start: Path) -> None:
        """What is overwritten is what a training left here, and never the model that this one starts from."""
        for folder in self._made:
            if folder.exists() and not (self.out / _BEGUN).is_file():
                raise UsageError(f"'{folder}' is there already, and not from a training; name another --out")
            if start.resolve().is_relative_to(folder.resolve()):
                raise UsageError(f"the training would overwrite '{start}', which it starts from; name another --out")

    def finished(self) -> dict[str, Any] | None:
        """What :meth:`finish` was given, where the training has come to its end."""
        done = self.model / _FINISHED
        return json.loads(done.read_text()) if done.is_file() else None

    def finish(self, result: Mapping[str, Any]) -> None:
        """Put the model that was made in its place; it is there whole or not at all."""
        (self.making / "training_args.bin").unlink(missing_ok=True)
        _write_json(self.making / _FINISHED, result)
        put_in_place(self.making, self.model)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def newest_checkpoint(self) -> str | None:
        """The newest complete checkpoint of a training that was killed, or None."""
        found = [path for path in self.checkpoints.glob("checkpoint-*") if _is_whole(path)]
        newest = max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
        return None if newest is None else str(newest)


def put_in_place(made: Path, place: Path) -> None:
    """Move a folder to its place once all of it is on disk: after a power cut it is there whole, or not at all."""
    for path in sorted(made.rglob("*"), reverse=True):  # what lies in a folder before the folder
        _sync(path)
    _sync(made)
    made.rename(place)
    _sync(place.parent)


def _sync(path: Path) -> None:
    if path.is_dir():
        with suppress(OSError):  # not every system and file system can be asked for a folder
            _sync_open(path, os.O_RDONLY)
    else:
        _sync_open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)


def _sync_open(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_whole(checkpoint: Path) -> bool:
    """The trainer writes its state last: one that can be read belongs to a complete checkpoint."""
    try:
        json.loads((checkpoint / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    return True


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    making = path.with_name(f"{path.name}.part")
    making.write_text(json.dumps(value))
    making.replace(path)
