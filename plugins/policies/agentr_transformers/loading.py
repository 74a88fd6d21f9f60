"""Loading a model and its tokenizer, with one clear sentence where that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentr_core import UsageError, base_of, model_failure, tokenizer_of
from agentr_transformers.attention import use_grouped_attention
from agentr_transformers.config import TransformersConfig
from agentr_transformers.runtime import pick_device, pick_dtype, torch, transformers


def load(config: TransformersConfig, source: Path | str) -> tuple[Any, Any]:
    """The model at ``source`` (a folder or hub id), ready to answer, and its tokenizer.

    Raises :class:`~agentr_core.UsageError` for anything that is not a usable model.
    """
    device = _device(config.device)
    try:
        tokenizer = _tokenizer(config, source)
        model = _model(config, source, device)
    except UsageError:
        raise
    except Exception as cause:  # transformers raises OSError, ValueError, KeyError, safetensors' own errors ...
        raise model_failure(config.model, source, cause) from cause
    use_grouped_attention(model)
    return model.to(device).eval(), tokenizer


def load_settings(config: TransformersConfig, source: Path | str) -> tuple[Any, Any]:
    """The configuration of the model at ``source``, and its tokenizer; no weights are read."""
    try:
        tokenizer = _tokenizer(config, source)
        load = transformers.AutoConfig.from_pretrained
        return load(base_of(source), trust_remote_code=config.trust_remote_code), tokenizer
    except UsageError:
        raise
    except Exception as cause:  # as above
        raise model_failure(config.model, source, cause) from cause


def _tokenizer(config: TransformersConfig, source: Path | str) -> Any:
    load = transformers.AutoTokenizer.from_pretrained
    return load(tokenizer_of(source), trust_remote_code=config.trust_remote_code)


def _model(config: TransformersConfig, source: Path | str, device: torch.device) -> Any:
    """The model with the attention asked for; ``auto`` takes what transformers would: sdpa where the model has it."""
    attention = "sdpa" if config.attention == "auto" else config.attention
    try:
        return _loaded(config, source, device, attention)
    except ValueError as cause:
        # The model's class refuses before any weights are read; there is no way to ask it that holds for all models.
        if "scaled_dot_product_attention" not in str(cause):
            raise
        if config.attention == "sdpa":
            raise UsageError(
                f"policy.attention: the model '{config.model}' has no sdpa attention; use 'auto' or 'eager'"
            ) from cause
    return _loaded(config, source, device, "eager")


def _loaded(config: TransformersConfig, source: Path | str, device: torch.device, attention: str) -> Any:
    return transformers.AutoModelForCausalLM.from_pretrained(
        source,
        dtype=pick_dtype(config.dtype, device),
        attn_implementation=attention,
        trust_remote_code=config.trust_remote_code,
    )


def _device(name: str) -> torch.device:
    try:
        device = pick_device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as cause:
        raise UsageError(f"policy.device: torch has no device '{name}' here; use 'cpu' or 'auto'") from cause
    return device
