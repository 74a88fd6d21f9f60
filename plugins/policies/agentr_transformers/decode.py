"""The decode loop: all samples of all prompts a token at a time, those that have ended dropped on the way.

Samples of one prompt share its keys and values: up to four of them stand side by side in a row, as four queries that
see the prompt and each its own tokens. That is a quarter of the memory to fill, to read at every step, and to move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agentr_transformers.jobs import Job, Sample
from agentr_transformers.prefill import Filled, Prompt
from agentr_transformers.rows import FixedRows, Rows
from agentr_transformers.runner import Runner
from agentr_transformers.runtime import torch
from agentr_transformers.sampling import Sampler

#: Given a sample's stop strings and its token ids so far: does its text hold one of them?
StopCheck = Callable[[Sequence[str], Sequence[int]], bool]
Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]

#: Samples side by side in a row. More would see ever more tokens that are not theirs.
SIDE_BY_SIDE = 4


@dataclass(slots=True, eq=False)
class _Draw:
    """One sample in the making."""

    job: int
    seed: int
    cached: int
    length: int = 0
    stopped: bool = False
    ended: bool = False


class Decoder:
    """The samples of ``jobs``, laid out in R rows of S slots; ``filled`` are their prompts.

    ``fixed``: by :class:`~agentr_transformers.rows.FixedRows`, where the model allows it.
    """

    def __init__(self, runner: Runner, jobs: Sequence[Job], filled: Sequence[Filled], fixed: bool) -> None:
        self._runner, self._jobs = runner, jobs
        self._draws: list[_Draw] = []
        owned = [[self._begin(prompt) for prompt in part.prompts] for part in filled]
        self._slots = 1 if runner.windowed else min(SIDE_BY_SIDE, max(len(own) for part in owned for own in part))
        #: The draw in each slot of each row, in one line; -1: none.
        self._owner: Numbers = np.array([owner for part in owned for own in part for owner in self._padded(own)])
        self._alive: Flags = self._owner >= 0
        asked = [self._job(owner) for owner in self._owner]
        seeds = [self._draws[owner].seed for owner in self._owner]
        self._sampler = Sampler([job.params for job in asked], seeds, runner.device)
        self._limits = np.array([job.limit for job in asked])
        self._longest = int(self._limits.max())
        lengths = torch.tensor([len(job.ids) for job in asked], device=runner.device)
        repeats = [[-(-len(own) // self._slots) for own in part] for part in owned]
        kind = FixedRows if fixed and not runner.windowed else Rows
        self._rows = kind(runner, filled, repeats, lengths.view(-1, self._slots), self._longest)
        self._tokens = np.zeros((len(self._draws), self._longest), dtype=np.int64)
        self._logprobs = np.zeros(self._tokens.shape, dtype=np.float32)

    def _begin(self, prompt: Prompt) -> list[int]:
        first = len(self._draws)
        self._draws += [_Draw(job, seed, prompt.cached) for job in prompt.jobs for seed in self._jobs[job].seeds]
        return list(range(first, len(self._draws)))

    def _padded(self, own: Sequence[int]) -> Iterator[int]:
        yield from own
        yield from [-1] * (-len(own) % self._slots)

    def _job(self, owner: int) -> Job:
        # Index -1, an empty slot, is any job: nothing that is drawn there is kept.
        return self._jobs[self._draws[owner].job]

    def run(self, ends: Flags, enders: Flags | None, holds_stop: StopCheck) -> list[list[Sample]]:
        """Decode until every sample has ended; the samples of each job, in the order of its seeds.

        ``ends`` [vocabulary]: tokens that end a turn. ``enders`` [vocabulary]: tokens that may complete a stop string.
        """
        logits, step = self._rows.first, 0
        while True:
            drawn, logprobs = self._sampler.draw(logits, step)
            tokens, owner = drawn.cpu().numpy(), self._owner[self._alive]
            self._tokens[owner, step] = tokens[self._alive]
            self._logprobs[owner, step] = logprobs.cpu().numpy()[self._alive]
            ended = self._alive & ends[tokens]
            stopped = ended | self._at_stop(self._alive & ~ended, tokens, enders, step, holds_stop)
            done = stopped | (self._alive & (self._limits == step + 1))
            if done.any():
                for slot in np.flatnonzero(done):
                    draw = self._draws[self._owner[slot]]
                    draw.length, draw.stopped, draw.ended = step + 1, bool(stopped[slot]), bool(ended[slot])
                self._alive &= ~done
                if not self._alive.any():
                    return self._samples()
                drawn = self._compact(drawn)
            logits = self._rows.step(drawn)
            step += 1

    def _at_stop(self, alive: Flags, tokens: Any, enders: Flags | None, step: int, holds_stop: StopCheck) -> Flags:
        found = np.zeros_like(alive)
        if enders is not None:
            for slot in np.flatnonzero(alive & enders[tokens]):
                owner = self._owner[slot]
                stop = self._job(owner).params.stop
                found[slot] = bool(stop) and holds_stop(stop, self._tokens[owner, : step + 1].tolist())
        return found

    def _compact(self, tokens: torch.Tensor) -> torch.Tensor:
        """Drop rows in which nothing is alive once they are many, and slots that no row needs any more."""
        alive = self._alive.reshape(-1, self._slots)
        rows, slots = np.flatnonzero(alive.any(1)), int(alive.sum(1).max())
        if len(rows) >= self._rows.keep * len(alive):
            rows = np.arange(len(alive))
        if len(rows) * slots >= self._rows.enough * alive.size:
            return tokens
        # The living to the front of each row.
        order = np.argsort(~alive[rows], axis=1, kind="stable")[:, :slots]
        flat = (rows[:, None] * self._slots + order).ravel()
        self._owner, self._alive, self._limits = self._owner[flat], self._alive[flat], self._limits[flat]
        self._rows.select(rows, order)
        self._slots = slots
        index = torch.from_numpy(flat).to(tokens.device)
        self._sampler.select(index)
        return tokens[index]

    def _samples(self) -> list[list[Sample]]:
        answers: list[list[Sample]] = [[] for _ in self._jobs]
        for number, draw in enumerate(self._draws):
            ids, logprobs = self._tokens[number, : draw.length], self._logprobs[number, : draw.length]
            sample = Sample(tuple(ids.tolist()), tuple(logprobs.tolist()), draw.stopped, draw.ended, draw.cached)
            answers[draw.job].append(sample)
        return answers
