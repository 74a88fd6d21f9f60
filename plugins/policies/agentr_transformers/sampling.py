"""Drawing tokens for many rows at once, each row from its own seed.

A draw is a function of the row's seed, the step and the row's probabilities alone: the random number comes from a
counter-based hash, and the token from inverting the cumulative distribution, so it does not matter which other rows
are in the batch, on which device it is computed, or in which order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from agentr_core import SamplingParams
from agentr_transformers.runtime import torch


def uniforms(seeds: npt.NDArray[np.uint64], first: int, count: int) -> npt.NDArray[np.float32]:
    """Numbers ``first`` to ``first + count - 1`` of each seed's stream (splitmix64), in [0, 1); [rows, count].

    They have 23 bits, so that ``u * total < total`` holds in float32.
    """
    steps = np.arange(first + 1, first + count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = seeds[:, None] + steps[None, :]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(41)).astype(np.float32) * np.float32(2.0**-23))


class Sampler:
    """How each row of a batch draws: temperature, nucleus and seed of R rows."""

    #: Random numbers are made for this many steps at a time.
    AHEAD = 64

    def __init__(self, params: Sequence[SamplingParams], seeds: Sequence[int], device: torch.device) -> None:
        self._device = device
        self._temperature = torch.tensor([[p.temperature] for p in params], device=device)
        self._top_p = torch.tensor([[p.top_p] for p in params], device=device)
        self._seeds = np.array(seeds, dtype=np.uint64)
        self._numbers = torch.empty(0)
        self._describe()

    def _describe(self) -> None:
        self._greedy = self._temperature == 0
        self._all_greedy = bool(self._greedy.all())
        self._any_greedy = bool(self._greedy.any())
        self._plain = bool((self._temperature == 1).all())
        self._any_nucleus = bool((self._top_p < 1).any())

    def select(self, rows: torch.Tensor) -> None:
        """Keep only these rows."""
        self._temperature, self._top_p = self._temperature[rows], self._top_p[rows]
        self._seeds = self._seeds[rows.cpu().numpy()]
        self._numbers = self._numbers[rows]
        self._describe()

    def draw(self, logits: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens [R] and their log-probabilities under temperature 1 [R], from logits [R, vocabulary]."""
        number = self._number(step)
        logits = logits.float()
        norm = logits.logsumexp(-1, keepdim=True)
        if self._all_greedy:
            tokens = logits.argmax(-1, keepdim=True)
        else:
            tokens = _invert(self._probabilities(logits, norm), number)
            if self._any_greedy:
                tokens = torch.where(self._greedy, logits.argmax(-1, keepdim=True), tokens)
        return tokens[:, 0], (logits.gather(1, tokens) - norm)[:, 0]

    def _number(self, step: int) -> torch.Tensor:
        if step % self.AHEAD == 0:
            self._numbers = torch.from_numpy(uniforms(self._seeds, step, self.AHEAD)).to(self._device)
        return self._numbers[:, step % self.AHEAD, None]

    def _probabilities(self, logits: torch.Tensor, norm: torch.Tensor) -> torch.Tensor:
        if self._plain:
            probabilities = (logits - norm).exp()
        else:
            temperature = torch.where(self._greedy, torch.ones_like(self._temperature), self._temperature)
            probabilities = (logits / temperature).softmax(-1)
        return _nucleus(probabilities, self._top_p) if self._any_nucleus else probabilities


def _nucleus(probabilities: torch.Tensor, top_p: torch.Tensor) -> torch.Tensor:
    """Zero all but the likeliest tokens that together reach ``top_p`` (the one that crosses it is kept)."""
    ordered = probabilities.sort(-1, descending=True).values
    kept = (ordered.cumsum(-1) - ordered < top_p).sum(-1, keepdim=True).clamp_min(1)
    return torch.where(probabilities >= ordered.gather(1, kept - 1), probabilities, 0.0)


def _invert(probabilities: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
    """The token in whose slice of the cumulative distribution ``number`` falls; [R, 1]."""
    cumulative = probabilities.cumsum(-1)
    return torch.searchsorted(cumulative, number * cumulative[:, -1:], right=True).clamp_max(cumulative.shape[1] - 1)
