"""What a training takes of the device's memory, reckoned from the files of the model: no weights are loaded.

Weights, gradients and AdamW's two moments are exact (each trained number is kept four times); activations are those of
a decoder with a gated block, as saved for the backward pass, for the largest batch: within a factor of two or so.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from agentr_core import MemoryNeed
from agentr_training.config import TrainingSettings
from agentr_training.spreading import ALONE, Spread

#: Weight, gradient and two moments of each number that is trained.
_KEPT = 4
#: Numbers kept of one token in one layer: so many times the hidden size, and of the inner size.
_OF_HIDDEN, _OF_INNER = 8, 4
#: Bytes of one token's logits in each place of the vocabulary: in float32, with their gradient, and as computed.
_LOGIT_BYTES = 10
_BYTES = {"float16": 2, "bfloat16": 2, "float64": 8}
#: Names of matrices that adapters leave alone: embeddings, and what makes logits of hidden states.
_NOT_ADAPTED = ("embed", "wte", "wpe", "lm_head", "shared")


@dataclass(frozen=True, slots=True)
class Shape:
    """A model by its files: numbers in all, the matrices (rows, columns) that adapters go beside, and its sizes."""

    parameters: int
    matrices: tuple[tuple[int, ...], ...]
    layers: int
    hidden: int
    inner: int
    vocabulary: int
    context: int | None


def memory_need(
    settings: TrainingSettings,
    folder: Path,
    spread: Spread = ALONE,
    *,
    name: str,
    bf16: bool,
    rows: int = 1,
    logits: bool = True,
) -> MemoryNeed | None:
    """What the training ``name`` of the model in ``folder`` takes; None where its files do not tell.

    That is of each GPU, or of this machine's memory where there is none, for all processes of ``spread``. ``bf16``: the
    arithmetic is in bfloat16; ``rows``: so many go through the model for one of a batch; ``logits``: those of whole
    rows are held.
    """
    shape = shape_of(folder)
    if shape is None:
        return None
    size = 2 if settings.weights == "bf16" else 4
    if settings.lora:
        adapters = 4 * _KEPT * settings.lora_rank * sum(map(sum, shape.matrices))  # peft keeps them in float32
        least, parts = size * shape.parameters + adapters, "weights, and adapters with gradients and AdamW's state"
    else:
        least, parts = _KEPT * size * shape.parameters, "weights, gradients and AdamW's state"
    held = 1 if spread.sharding == "ddp" else spread.processes  # so many processes hold it once, in parts
    there = 1 if torch.cuda.is_available() else spread.processes
    least = least * there // held
    batch = rows * settings.batch_size // spread.processes
    device, free = free_memory()
    return MemoryNeed(
        device=device,
        free=free,
        least=least,
        most=least + there * _activations(settings, shape, batch, bf16=bf16, logits=logits),
        parts=f"{parts} of {shape.parameters / 1e6:,.0f} M parameters{_in_words(spread)}",
        batch=f"batches of {batch} × {_length(settings, shape):,} tokens",
        advice=_advice(settings, name, spread, fits=least <= free),
    )


def _in_words(spread: Spread) -> str:
    return f" in {spread.processes} processes" if spread.processes > 1 else ""


def _activations(settings: TrainingSettings, shape: Shape, rows: int, *, bf16: bool, logits: bool) -> int:
    """Bytes that the largest batch, of ``rows``, takes on top, and copies of the weights in the arithmetic's type."""
    number = 2 if bf16 or settings.weights == "bf16" else 4
    layer = _OF_HIDDEN * shape.hidden + _OF_INNER * shape.inner
    kept = shape.layers * shape.hidden + layer if settings.gradient_checkpointing else shape.layers * layer
    copies = 2 * shape.parameters if bf16 and settings.weights == "fp32" else 0
    tokens = rows * _length(settings, shape)
    return tokens * (number * kept + (_LOGIT_BYTES * shape.vocabulary if logits else 0)) + copies


def _length(settings: TrainingSettings, shape: Shape) -> int:
    return min(settings.max_length, shape.context or settings.max_length)


def _advice(settings: TrainingSettings, name: str, spread: Spread, *, fits: bool) -> str:
    """What to set; the first that is not set yet comes first."""
    whole = spread.sharding == "ddp" and spread.processes > 1
    ways = [f"{name}.sharding=fsdp2"] if whole and not fits else []
    ways += [] if settings.lora else [f"{name}.lora=true"]
    ways += [f"{name}.weights=bf16"] if settings.weights == "fp32" and not fits else []
    if fits:
        ways += [] if settings.gradient_checkpointing else [f"{name}.gradient_checkpointing=true"]
        ways += [f"a smaller {name}.batch_size or {name}.max_length"]
    return f"set {' or '.join(ways)}, or take a smaller model" if ways else "take a smaller model"


def shape_of(folder: Path) -> Shape | None:
    """The sizes of a model folder by its configuration and the heads of its weights' files."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        tensors = list(_tensors(folder))
        found = sum(map(prod, tensors)) if tensors else _by_size(folder, config)
    except (OSError, ValueError, KeyError, struct.error):
        return None
    text = config.get("text_config") or config

    def named(*names: str) -> int:
        values = (text.get(name) for name in names)
        value = next((value for value in values if value), 0)
        return max(value) if isinstance(value, list) else int(value)

    hidden = named("hidden_size", "n_embd", "d_model")
    return Shape(
        parameters=found,
        matrices=tuple(_adapted(folder)),
        layers=named("num_hidden_layers", "n_layer"),
        hidden=hidden,
        inner=named("intermediate_size", "n_inner", "ffn_dim") or 4 * hidden,
        vocabulary=named("vocab_size"),
        context=named("max_position_embeddings", "n_positions") or None,
    ) if found else None  # fmt: skip


def _tensors(folder: Path) -> Iterator[tuple[int, ...]]:
    for head in _heads(folder):
        yield from (tuple(tensor["shape"]) for tensor in head.values())


def _adapted(folder: Path) -> Iterator[tuple[int, ...]]:
    for head in _heads(folder):
        for name, tensor in head.items():
            if len(tensor["shape"]) == 2 and not any(part in name for part in _NOT_ADAPTED):
                yield tuple(tensor["shape"])


def _heads(folder: Path) -> Iterator[Mapping[str, Any]]:
    """The tables of tensors at the start of the weights' files, of those that the index names where there is one."""
    index = folder / "model.safetensors.index.json"
    names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()) if index.is_file() else None
    one = [folder / "model.safetensors"] if (folder / "model.safetensors").is_file() else []
    for path in sorted(folder / name for name in names) if names else one or sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            head = json.loads(file.read(size))
        head.pop("__metadata__", None)
        yield head


def _by_size(folder: Path, config: Mapping[str, Any]) -> int:
    """Numbers in files that have no such head, by their size and the type that the configuration names."""
    kind = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    return sum(path.stat().st_size for path in folder.glob("pytorch_model*.bin")) // _BYTES.get(kind, 4)


def free_memory() -> tuple[str, int]:
    """The device that is trained on, and bytes that are free there once the model that acts has been given back.

    Of several the first: another may have less, which the training finds out.
    """
    if torch.cuda.is_available():
        free, _ = torch.cuda.mem_get_info()
        return torch.cuda.get_device_name(), free + torch.cuda.memory_reserved()
    return "this machine", _free_ram() + _own_ram()


def _free_ram() -> int:
    """Memory that can be had without swapping, in this container too; all there is where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return min([free, *_free_in_container(Path("/sys/fs/cgroup"))])


def _free_in_container(root: Path) -> Iterator[int]:
    for folder, limit, used in ((root, "max", "current"), (root / "memory", "limit_in_bytes", "usage_in_bytes")):
        try:
            stat = dict(line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
            taken = int((folder / f"memory.{used}").read_text()) - int(stat.get("inactive_file", 0))
            yield max(0, int((folder / f"memory.{limit}").read_text()) - taken)
        except (OSError, ValueError):  # no such group, or no limit ("max")
            continue


def _own_ram() -> int:
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
