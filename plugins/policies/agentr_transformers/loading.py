"""Loading a model and its tokenizer, with one clear sentence where that fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentr_core import UsageError
from agentr_transformers.attention import use_grouped_attention
from agentr_transformers.config import TransformersConfig
from agentr_transformers.models import folder_failure, hub_failure
from agentr_transformers.runtime import pick_device, pick_dtype, torch, transformers


def load(config: TransformersConfig, source: Path | str) -> tuple[Any, Any]:
    """The model at ``source`` (a folder or hub id), ready to answer, and its tokenizer.

    Raises :class:`~agentr_core.UsageError` for anything that is not a usable model.
    """
    device = _device(config.device)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(source, trust_remote_code=config.trust_remote_code)
        model = transformers.AutoModelForCausalLM.from_pretrained(
            source,
            dtype=pick_dtype(config.dtype, device),
            attn_implementation=config.attention,
            trust_remote_code=config.trust_remote_code,
        )
    except Exception as cause:  # transformers raises OSError, ValueError, KeyError, safetensors' own errors ...
        failure = folder_failure if isinstance(source, Path) else hub_failure
        raise failure(config.model, cause) from cause
    use_grouped_attention(model)
    return model.to(device).eval(), tokenizer


def context_length(config: Any, tokenizer: Any, wanted: int | None) -> int:
    """Tokens of prompt and completion: as configured, at most what the model was made for."""
    limits = [getattr(config.get_text_config(), "max_position_embeddings", None), tokenizer.model_max_length]
    # A tokenizer that knows no limit says 10^30.
    own = min([limit for limit in limits if limit is not None and limit < 10**9], default=None)
    if wanted is None:
        return own or 4096
    if own is not None and wanted > own:
        raise UsageError(f"policy.context_length: must be at most {own}, the model's own limit (got {wanted})")
    return wanted


def end_ids(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that the model's files name as the end."""
    named = [getattr(model.generation_config, "eos_token_id", None), tokenizer.eos_token_id]
    return {token for item in named if item is not None for token in (item if isinstance(item, list) else [item])}


def _device(name: str) -> torch.device:
    try:
        device = pick_device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as cause:
        raise UsageError(f"policy.device: torch has no device '{name}' here; use 'cpu' or 'auto'") from cause
    return device
