"""How far a model's positions may be counted so that what a prompt gets does not depend on its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentr_core import UsageError, context_length


def servable_context(config: Any, tokenizer: Any, wanted: int | None) -> int:
    """Tokens of prompt and completion: ``wanted``, at most what the model of ``config`` reads alike in any batch.

    Where rotary positions are of the kind ``longrope``, transformers takes other frequencies for a whole batch as soon
    as one row of it is longer than the length the model was first trained with; so that length is the limit. Raises
    :class:`~agentr_core.UsageError` where more is wanted.
    """
    context = context_length(config, tokenizer, wanted)
    limit = min(_first_lengths(config.get_text_config()), default=context)
    if wanted is not None and wanted > limit:
        raise UsageError(
            f"policy.context_length: must be at most {limit} with this model (got {wanted}): beyond it, rotary "
            "positions of the kind longrope change for a whole batch, and answers would depend on their neighbours; "
            "serve the model with vLLM for longer conversations"
        )
    return min(context, limit)


def _first_lengths(config: Any) -> Iterator[int]:
    """The length of the first training of each kind of layer with ``longrope``."""
    for rope in _ropes(config):
        if rope.get("rope_type", rope.get("type")) in ("longrope", "su"):
            named = rope.get("original_max_position_embeddings")
            length = named or getattr(config, "original_max_position_embeddings", None)
            if length:
                yield int(length)


def _ropes(config: Any) -> Iterator[Mapping[str, Any]]:
    """The rotary settings: one for all layers, or one for each kind of them; older versions call them a scaling."""
    found = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    yield found
    yield from (each for each in found.values() if isinstance(each, Mapping))
