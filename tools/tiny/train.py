"""Trains ``tiny`` from scratch on drawn conversations (plain PyTorch, CPU)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tools.tiny.data import Mix
from tools.tiny.muon import Muon
from tools.tiny.tokenizer import ASSISTANT, USER
from tools.tiny.turns import Turn


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training: until ``step``, conversations of at most ``longest`` tokens drawn from ``mix``.

    ``see`` is the weight of what the environment says. At first it teaches the model to look names up; later it is
    mostly noise, for names that were drawn at random cannot be foreseen.
    """

    step: int
    longest: int
    mix: Mix
    see: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """How to train. ``tokens`` is the size of a batch, padding included.

    ``steps`` is the length of the whole schedule; training ends after ``stop`` of them, before the rate is down,
    because a start for self-training must leave something to learn.
    """

    steps: int
    stop: int
    tokens: int = 8192
    rate: float = 3e-3
    warmup: int = 100
    decay_share: float = 0.6
    average: float = 0.995
    seed: int = 0

    def scale(self, step: int) -> float:
        """The learning rate's factor: warm-up, constant, linear decay."""
        down = (self.steps - step) / (self.steps * self.decay_share)
        return max(0.0, min(1.0, (step + 1) / self.warmup, down))


def new_model(vocabulary: int, end: int, pad: int) -> Any:
    """A small Llama with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=192,
        intermediate_size=512,
        num_hidden_layers=4,
        num_attention_heads=6,
        num_key_value_heads=6,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=pad,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config)


def encode(tokenizer: Any, turns: Sequence[Turn], see: float) -> tuple[list[int], list[float]]:
    """Token ids as the chat template gives them, and the weight of each in the loss."""
    ids: list[int] = []
    weights: list[float] = []
    for turn in turns:
        mark = tokenizer.convert_tokens_to_ids(USER if turn.role == "user" else ASSISTANT)
        body = tokenizer.encode(turn.text, add_special_tokens=False)
        ids += [mark, *body, tokenizer.eos_token_id]
        weights += [0.0] + [see if turn.role == "user" else turn.weight] * (len(body) + 1)
    return ids, weights


def batches(
    tokenizer: Any, stage: Stage, size: int, rng: random.Random
) -> Iterator[list[tuple[list[int], list[float]]]]:
    """Batches of about equal length, from pools of drawn conversations."""
    while True:
        pool: list[tuple[list[int], list[float]]] = []
        while sum(len(ids) for ids, _ in pool) < 24 * size:
            row = encode(tokenizer, stage.mix.draw(rng), stage.see)
            if len(row[0]) <= stage.longest:
                pool.append(row)
        pool.sort(key=lambda row: len(row[0]))
        made: list[list[tuple[list[int], list[float]]]] = [[]]
        for row in pool:
            if len(row[0]) * (len(made[-1]) + 1) > size:
                made.append([])
            made[-1].append(row)
        rng.shuffle(made)
        yield from made


def tensors(rows: Sequence[tuple[list[int], list[float]]], pad: int) -> tuple[Any, Any]:
    """Right-padded ids and weights."""
    import torch

    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), pad)
    weights = torch.zeros(len(rows), width)
    for at, (row, row_weights) in enumerate(rows):
        ids[at, : len(row)] = torch.tensor(row)
        weights[at, : len(row)] = torch.tensor(row_weights)
    return ids, weights


def fast_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 itself; where it does not, torch is 70 times slower in it."""
    import torch

    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def weighted_loss(model: Any, ids: Any, weights: Any) -> tuple[Any, Any]:
    """The weighted mean cross-entropy, and the plain one of the tokens with full weight."""
    import torch

    with torch.autocast("cpu", torch.bfloat16, enabled=fast_bfloat16()):
        logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    flat = weights[:, 1:].flatten()
    acting = flat == 1.0
    return (losses * flat).sum() / flat.sum(), losses.detach()[acting].mean()


class Average:
    """An exponential moving average of the weights: a model to look at before the learning rate has come down."""

    def __init__(self, model: Any, keep: float) -> None:
        self.keep, self.steps = keep, 0
        self.state = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def update(self, model: Any) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        keep = min(self.keep, self.steps / (self.steps + 10))
        for name, value in model.state_dict().items():
            self.state[name].lerp_(value.detach(), 1 - keep)


def optimizers(model: Any, rate: float) -> list[Any]:
    """Muon for the matrices inside the layers, AdamW for embeddings and norms."""
    import torch

    inner = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    outer = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    return [
        Muon(inner, lr=rate, weight_decay=0.05),
        torch.optim.AdamW(outer, lr=rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def train(
    model: Any,
    tokenizer: Any,
    stages: Sequence[Stage],
    schedule: Schedule,
    watch: Callable[[int, int, float, Average], None],
) -> Average:
    """Train in place; ``watch(step, tokens, loss, average)`` is called after every step."""
    import torch

    rng = random.Random(schedule.seed)
    average, opts = Average(model, schedule.average), optimizers(model, schedule.rate)
    seen, step = 0, 0
    for stage in stages:
        for rows in batches(tokenizer, stage, schedule.tokens, rng):
            if step >= min(stage.step, schedule.stop):
                break
            ids, weights = tensors(rows, tokenizer.pad_token_id)
            loss, acting = weighted_loss(model, ids, weights)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for opt in opts:
                for group in opt.param_groups:
                    group["lr"] = schedule.rate * schedule.scale(step)
                opt.step()
                opt.zero_grad()
            average.update(model)
            step, seen = step + 1, seen + sum(len(row[0]) for row in rows)
            watch(step, seen, acting.item(), average)
    return average


def clock() -> Callable[[], float]:
    """Seconds since now."""
    start = time.monotonic()
    return lambda: time.monotonic() - start
