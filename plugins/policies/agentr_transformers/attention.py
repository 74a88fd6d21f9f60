"""Attention for models whose query heads share key heads, a few queries at a time.

transformers copies the shared keys and values once for every query head that reads them where there is a mask and more
than one query; in the decode loop that is the whole cache at every step. Here the query heads of a key head are laid
out as further queries of it, and nothing is copied.
"""

from __future__ import annotations

from typing import Any

from agentr_transformers.runtime import torch, transformers

NAME = "agentr_grouped"
#: Up to this many queries; a prefill has more, and there the copy is small beside the work.
FEW = 16


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """``query`` [R, heads, S, dim], ``key`` and ``value`` [R, key heads, T, dim], mask [R, 1, S, T]."""
    rows, heads, few, dim = query.shape
    groups = heads // key.shape[1]
    if attention_mask is None or groups == 1 or few > FEW:
        attend = transformers.integrations.sdpa_attention.sdpa_attention_forward
        output: tuple[torch.Tensor, None] = attend(module, query, key, value, attention_mask, **settings)
        return output
    packed = query.reshape(rows, key.shape[1], groups * few, dim)
    mask = attention_mask.repeat(1, 1, groups, 1)
    seen = torch.nn.functional.scaled_dot_product_attention(
        packed, key, value, attn_mask=mask, scale=settings.get("scaling")
    )
    return seen.reshape(rows, heads, few, value.shape[-1]).transpose(1, 2).contiguous(), None


def use_grouped_attention(model: Any) -> None:
    """Let ``model`` use :func:`grouped_attention` in place of transformers' own ``sdpa``."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_attention_heads", None)
    if model.config._attn_implementation == "sdpa" and getattr(config, "num_key_value_heads", heads) != heads:
        transformers.AttentionInterface.register(NAME, grouped_attention)
        transformers.AttentionMaskInterface.register(NAME, transformers.masking_utils.sdpa_mask)
        model.set_attn_implementation(NAME)
