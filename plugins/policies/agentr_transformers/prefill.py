"""From prompts to keys, values and the first logits: one computation for each distinct prompt and prefix."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from agentr_transformers.jobs import Job
from agentr_transformers.kv import PrefixCache, Slab
from agentr_transformers.runner import Runner
from agentr_transformers.runtime import torch


@dataclass(slots=True, eq=False)
class Prompt:
    """A distinct prompt; ``jobs`` are those that ask for it, ``slots`` the cached blocks of its prefix."""

    ids: tuple[int, ...]
    jobs: list[int] = field(default_factory=list)
    slots: list[int] = field(default_factory=list)

    @property
    def cached(self) -> int:
        """Tokens that are in the cache."""
        return len(self.slots) * PrefixCache.BLOCK

    @property
    def new(self) -> int:
        """Tokens that are left to compute."""
        return len(self.ids) - self.cached


@dataclass(slots=True, eq=False)
class Filled:
    """Prompts whose keys and values are computed.

    ``positions`` [P, columns] of the slab's columns (-1: padding); ``logits`` [P, vocabulary] after the last token.
    """

    prompts: list[Prompt]
    slab: Slab
    positions: torch.Tensor
    logits: torch.Tensor


def distinct(jobs: Sequence[Job]) -> list[Prompt]:
    """The distinct prompts of ``jobs``."""
    prompts: dict[tuple[int, ...], Prompt] = {}
    for number, job in enumerate(jobs):
        prompts.setdefault(job.ids, Prompt(job.ids)).jobs.append(number)
    return list(prompts.values())


def prefill(runner: Runner, prefixes: PrefixCache, prompts: Sequence[Prompt], pass_tokens: int) -> Iterator[Filled]:
    """Compute the prompts, at most ``pass_tokens`` tokens in a pass.

    It goes in waves: where several prompts share tokens that are new, the longest goes first and the others find them
    in the cache (the steps of one path before a critic; the instructions at the start of a run).
    """
    waiting = sorted(prompts, key=lambda prompt: len(prompt.ids), reverse=True)
    while waiting:
        wave, waiting = _wave(prefixes, waiting)
        # All are loaded before any is stored: storing may drop blocks that another prompt has matched.
        loaded = [(bucket, _load(runner, prefixes, bucket)) for bucket in _buckets(wave, pass_tokens)]
        for bucket, slab in loaded:
            filled = _fill(runner, bucket, slab)
            prefixes.store([prompt.ids for prompt in bucket], [len(prompt.slots) for prompt in bucket], slab)
            yield filled


def _wave(prefixes: PrefixCache, waiting: Sequence[Prompt]) -> tuple[list[Prompt], list[Prompt]]:
    """Those prompts whose next block nobody else is about to compute, and the rest."""
    now: list[Prompt] = []
    later: list[Prompt] = []
    begun = set()
    for prompt in waiting:
        prompt.slots, missing = prefixes.match(prompt.ids)
        if missing is not None and missing in begun:
            later.append(prompt)
        else:
            begun.add(missing)
            now.append(prompt)
    return now, later


def _buckets(prompts: Sequence[Prompt], pass_tokens: int) -> Iterator[list[Prompt]]:
    """Cut prompts so that a pass stays small and little of it is padding."""
    bucket: list[Prompt] = []
    tokens = 0
    for prompt in sorted(prompts, key=lambda prompt: prompt.new):
        padded, real = (len(bucket) + 1) * prompt.new, tokens + prompt.new
        if bucket and (padded > pass_tokens or padded - real > max(256, real // 4)):
            yield bucket
            bucket, real = [], prompt.new
        bucket.append(prompt)
        tokens = real
    if bucket:
        yield bucket


def _load(runner: Runner, prefixes: PrefixCache, prompts: Sequence[Prompt]) -> Slab:
    columns = max(prompt.cached for prompt in prompts) + max(prompt.new for prompt in prompts)
    slab = runner.slab(len(prompts), columns)
    prefixes.load([prompt.slots for prompt in prompts], slab)
    return slab


def _fill(runner: Runner, prompts: list[Prompt], slab: Slab) -> Filled:
    """Compute what is new. Columns: the cached prefixes, aligned at their ends, then the new tokens, likewise."""
    past, new = slab.length, max(prompt.new for prompt in prompts)
    ids = np.zeros((len(prompts), new), dtype=np.int64)
    positions = np.full((len(prompts), past + new), -1, dtype=np.int64)
    for row, prompt in enumerate(prompts):
        ids[row, new - prompt.new :] = prompt.ids[prompt.cached :]
        positions[row, past - prompt.cached : past] = np.arange(prompt.cached)
        positions[row, past + new - prompt.new :] = np.arange(prompt.cached, len(prompt.ids))
    at = torch.from_numpy(positions).to(runner.device)
    queries = at[:, past:]
    logits = runner.forward(torch.from_numpy(ids).to(runner.device), queries, runner.mask(queries, at), slab)
    return Filled(prompts, slab, at, logits[:, 0])
