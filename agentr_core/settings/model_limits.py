"""Settings that fit the model: a preset's numbers belong to the small model that it names, and others need their own.

A judge that is cut off after 48 tokens is unreadable, and a learning rate for two million parameters ruins a billion.
The limits stand between the preset and whatever a user sets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentr_core.registry.model_names import local_model

#: Up to so many parameters a model is one of those that the preset was made for.
SMALL = 50_000_000
#: From so many parameters on, all of a model's weights and their optimizer rarely fit one device: train adapters.
LARGE = 1_000_000_000
#: Tokens of a turn or a verdict, and of a training conversation, where the context allows.
TURN_TOKENS, CONVERSATION_TOKENS = 512, 4_096
#: ``Qwen2.5-7B``, ``smollm2-135m``: a number with B or M at the end of a word.
_IN_NAME = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)([bm])(?![a-z0-9])", re.IGNORECASE)
_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What can be known of a model without loading it; None for what cannot."""

    parameters: int | None
    context: int | None


def size_of(model: str) -> ModelSize:
    """The size of a model that is here by its files, of any other by its name."""
    folder = local_model(model)
    if folder is not None and (folder / "config.json").is_file():
        return _of_folder(folder)
    found = _IN_NAME.findall(model.replace("-", " ").replace("_", " ").replace("/", " "))
    number, unit = found[-1] if found else ("", "")
    factor = 1_000_000_000 if unit.lower() == "b" else 1_000_000
    return ModelSize(int(float(number) * factor) if number else None, None)


def limits_for(model: str) -> tuple[dict[str, Any], str] | None:
    """Settings in the shape of a ``run.toml`` and the reason for them; None for a model that the preset fits."""
    size = size_of(model)
    if size.parameters is not None and size.parameters < SMALL:
        return None
    turn = min(TURN_TOKENS, size.context // 4) if size.context else TURN_TOKENS
    whole = min(CONVERSATION_TOKENS, size.context) if size.context else CONVERSATION_TOKENS
    tokens = {"max_tokens": turn}
    adapters = size.parameters is None or size.parameters >= LARGE
    sft = {"learning_rate": 1e-4 if adapters else 2e-5, "lora": adapters, "gradient_checkpointing": adapters}
    searchers = dict.fromkeys(("mcts", "best_of_n", "greedy", "branch", "beam", "reflect"), tokens)
    critics = dict.fromkeys(("actor", "judge", "unrecoverable"), tokens)
    values = {**searchers, **critics, "evaluate": tokens, "sft": {**sft, "max_length": whole, "batch_size": 4}}
    way = "adapters (LoRA)" if adapters else "all weights"
    reason = f"{_told(size)}: {turn} tokens a turn and a verdict, training of {way} on up to {whole:,} tokens"
    return values, reason


def _of_folder(folder: Path) -> ModelSize:
    try:
        config: Mapping[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = sum(file.stat().st_size for file in [*folder.glob("*.safetensors"), *folder.glob("*.bin")])
    except (OSError, ValueError):
        return ModelSize(None, None)
    text = config.get("text_config") or config
    kind = str(config.get("dtype") or config.get("torch_dtype") or "float32")
    context = text.get("max_position_embeddings")
    return ModelSize(weights // _BYTES.get(kind, 4) or None, context if isinstance(context, int) else None)


def _told(size: ModelSize) -> str:
    if size.parameters is None:
        return "a model of unknown size"
    million = size.parameters / 1e6
    return (
        f"a model of {million / 1000:.1f} B parameters" if million >= 1000 else f"a model of {million:.0f} M parameters"
    )
