"""Is a model answered for in a batch as it is alone? Tried once at load, with the parts that will do the work.

Masks and positions are made here and handed to the model. Some models make their own out of something else (ALiBi
counts columns), and do not say so: their answers would be wrong as soon as there are two. The check asks for what a
search asks for: prompts of different lengths, one of them behind a cached prefix, two samples side by side.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from agentr_transformers.kv import PrefixCache
from agentr_transformers.prefill import Filled, Prompt, prefill
from agentr_transformers.rows import Rows
from agentr_transformers.runner import Runner, unservable
from agentr_transformers.runtime import torch

#: Token ids that the check needs.
NEEDED = PrefixCache.BLOCK + 8
#: How far logits may be apart, as a share of their spread, in float32 and in half precision: rounding stays below,
#: another position or mask does not. Deep models in half precision may round by more: so many times what is measured.
EXACT, ROUNDED, _NOISE = 0.01, 0.04, 4.0
_STEPS = 2
_PASS = 8192

#: The models that passed, by all that matters here; a run loads one of the same kind for every iteration.
_passed: set[tuple[str, ...]] = set()


def check_batches(runner: Runner, ids: Sequence[int]) -> None:
    """Compare a batch with single passes over some ``ids`` of running text; :data:`NEEDED` of them at least.

    Raises :class:`~agentr_core.UsageError` where the logits are not the same, or the model does not take a batch.
    """
    key = _identity(runner)
    if key in _passed or len(ids) < NEEDED:
        return
    try:
        apart = _apart(runner, ids)
    except torch.OutOfMemoryError:
        raise
    except Exception as cause:  # whatever the code of a model raises where it is handed something unforeseen
        raise unservable(runner.config, f"a batch ends in {type(cause).__name__}: {_first_line(cause)}") from cause
    if apart > _allowed(runner, ids):
        raise unservable(runner.config, f"in a batch its logits are {apart:.0%} off those it gives alone")
    _passed.add(key)


def _identity(runner: Runner) -> tuple[str, ...]:
    """All that decides how a model computes, but its weights."""
    settings = {key: value for key, value in runner.config.to_dict().items() if key != "_name_or_path"}
    attention = str(runner.config._attn_implementation)
    text = json.dumps(settings, sort_keys=True, default=str)
    return text, attention, str(runner.like.dtype), runner.device.type


@torch.inference_mode()
def _allowed(runner: Runner, ids: Sequence[int]) -> float:
    """How far apart logits may be for no other reason than rounding."""
    if runner.like.dtype == torch.float32:
        return EXACT
    return max(ROUNDED, _NOISE * float(_off(runner.alone(ids, copies=3), runner.alone(ids))))


@torch.inference_mode()
def _apart(runner: Runner, ids: Sequence[int]) -> float:
    """The largest share by which logits of a batch are off.

    Of the two steps the better one counts: in half precision rounding may send a token to another expert, and that
    does not happen twice, while what is wrong with masks and positions stays wrong.
    """
    # The first has 3 tokens after what is cached, the second 12 and nothing cached: a gap in one, padding before both.
    prompts = [tuple(ids[: PrefixCache.BLOCK + 3]), tuple(ids[5:17])]
    filled = _fill(runner, tuple(ids[: PrefixCache.BLOCK + 4]), prompts)
    first = [_off(filled.logits[row], runner.alone(prompt)) for row, prompt in enumerate(prompts)]
    slots = 1 if runner.windowed else 2
    lengths = torch.tensor([[len(prompt)] * slots for prompt in prompts], device=runner.device)
    rows = Rows(runner, [filled], [[1] * len(prompts)], lengths, _STEPS)
    texts = [prompt for prompt in prompts for _ in range(slots)]
    steps = []
    for step in range(_STEPS):
        drawn = [ids[2 + step * len(texts) + sample] for sample in range(len(texts))]
        texts = [(*text, token) for text, token in zip(texts, drawn, strict=True)]
        logits = rows.step(torch.tensor(drawn, device=runner.device))
        steps.append(torch.stack([_off(row, runner.alone(text)) for row, text in zip(logits, texts, strict=True)]))
    return float(torch.maximum(torch.stack(first).min(), torch.stack(steps).amin(0).max()))


def _fill(runner: Runner, before: tuple[int, ...], prompts: Sequence[tuple[int, ...]]) -> Filled:
    """Keys and values of ``prompts`` in one batch; the first of them shares a cached block with ``before``."""
    prefixes = PrefixCache(runner.layouts, 2, runner.like)
    list(prefill(runner, prefixes, [Prompt(before)], _PASS))
    (filled,) = prefill(runner, prefixes, [Prompt(prompt) for prompt in prompts], _PASS)
    assert [prompt.ids for prompt in filled.prompts] == list(prompts)
    return filled


def _off(logits: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """How far ``logits`` are from ``expected``, as a share of how far those are from their mean."""
    apart, spread = logits.float() - expected, expected - expected.mean()
    off: torch.Tensor = torch.linalg.vector_norm(apart) / torch.linalg.vector_norm(spread).clamp_min(1e-6)
    return off


def _first_line(cause: BaseException) -> str:
    return (str(cause).strip().splitlines() or [""])[0][:160].rstrip(".")
