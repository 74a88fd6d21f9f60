"""What a training depends on, so that one that goes on, or is over, is never taken for another.

Not in it: the versions of torch, transformers and TRL, the kind of the device, and the number of processes. They change
a result by rounding, and a training of days that an upgrade or another machine of the same project would forbid to go
on is the greater loss. What checkpoints are like is in it, as nobody could go on from another kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentr_core import PLACE_SETTINGS, Checkpoint, PluginConfig, model_fingerprint
from agentr_training.spreading import WHOLE


def identity(
    settings: PluginConfig, start: Checkpoint, dataset_hash: str, seed: int, precision: str, checkpoints: str = WHOLE
) -> dict[str, Any]:
    """All that a training depends on: what one that goes on must share with the one that was stopped.

    ``precision`` is that of the arithmetic, which ``auto`` leaves to the hardware; ``checkpoints`` are those of
    :attr:`agentr_training.spreading.Spread.checkpoints`. The model counts by its content: a project that was moved
    goes on.
    """
    values = settings.model_dump(mode="json")
    return {
        "model": start.model,
        "model files": fingerprint(start.model),
        "iteration": start.iteration + 1,
        "dataset": dataset_hash,
        "seed": seed,
        "precision": precision,
        "checkpoints": checkpoints,
        **{f"settings.{name}": value for name, value in values.items() if name not in PLACE_SETTINGS},
    }


def differences(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What two trainings do not share, as ``name: old -> new``."""
    begun = {"checkpoints": WHOLE, **begun}  # of before there were others
    if begun.get("processes") == 1:  # those of before, whose batches were counted by process, where that is the same
        del begun["processes"]
    found = _other_model(begun, now)
    if begun.get("dataset") != now["dataset"]:
        found.append("another dataset")
    rest = [key for key in {**begun, **now} if key not in ("model", "model files", "dataset")]
    changed = [key for key in rest if begun.get(key) != now.get(key)]
    return found + [f"{key.removeprefix('settings.')}: {begun.get(key)} -> {now.get(key)}" for key in changed]


def _other_model(begun: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """By content where it is known of both, else by name: the start of a training that is over may be gone."""
    old, new = begun.get("model files"), now["model files"]
    renamed = begun.get("model") != now["model"]
    if (old == new) if old and new else not renamed:
        return []
    if renamed:
        return [f"model: {begun.get('model')} -> {now['model']}"]
    return [f"the files of the model {now['model']} have changed"]


def weights_folder(model: str) -> Path | None:
    """Where the weights of a model lie here: its folder, an adapter's base, or a hub id's copy in the local cache."""
    folder = Path(model) if Path(model).is_dir() else _cached(model)
    adapter = None if folder is None else folder / "adapter_config.json"
    if adapter is not None and adapter.is_file():
        return weights_folder(str(json.loads(adapter.read_text(encoding="utf-8"))["base_model_name_or_path"]))
    return folder


def fingerprint(model: str) -> str | None:
    """A hash over the files of a model (configuration, tokenizer, template, weights); None where there are none yet.

    A hub id stands for the copy in the local cache.
    """
    folder = Path(model)
    if not folder.is_dir():
        cached = _cached(model)
        if cached is None:
            return None
        folder = cached
    return model_fingerprint(folder)


def _cached(model: str) -> Path | None:
    from transformers.utils import cached_file

    if Path(model).is_absolute():
        return None
    try:
        found = cached_file(model, "config.json", local_files_only=True)
    except (OSError, ValueError):
        return None
    return Path(found).parent if found else None
