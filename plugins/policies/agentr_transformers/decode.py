"""The decode loop: one row a sample, all rows a token at a time, rows that have ended dropped on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agentr_core import SamplingParams
from agentr_transformers.jobs import Job, Sample
from agentr_transformers.prefill import Filled
from agentr_transformers.runner import Runner
from agentr_transformers.runtime import torch
from agentr_transformers.sampling import Sampler

#: Given a row's stop strings and its token ids so far: does its text hold one of them?
StopCheck = Callable[[Sequence[str], Sequence[int]], bool]
Flags = npt.NDArray[np.bool_]


class Decoder:
    """The rows of one batch. ``keep`` is the share of live rows under which the dead ones are dropped."""

    keep = 0.75

    def __init__(self, runner: Runner, jobs: Sequence[Job], filled: Sequence[Filled]) -> None:
        self._runner = runner
        # A row belongs to a job, has a seed, and a prompt of which some tokens were cached.
        rows = [
            (job, seed, prompt.cached)
            for part in filled
            for prompt in part.prompts
            for job in prompt.jobs
            for seed in jobs[job].seeds
        ]
        self._jobs, self._cached = [job for job, _, _ in rows], [cached for _, _, cached in rows]
        self._asked = [jobs[job] for job in self._jobs]
        params: list[SamplingParams] = [job.params for job in self._asked]
        self._sampler = Sampler(params, [seed for _, seed, _ in rows], runner.device)
        self._limits = np.array([job.limit for job in self._asked])
        self._stop = [job.params.stop for job in self._asked]
        self._repeat(filled, jobs)
        shape = (len(rows), int(self._limits.max()))
        self._tokens, self._logprobs = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32)
        self._length = np.zeros(len(rows), dtype=np.int64)
        self._stopped, self._ended = np.zeros(len(rows), dtype=bool), np.zeros(len(rows), dtype=bool)

    def _repeat(self, filled: Sequence[Filled], jobs: Sequence[Job]) -> None:
        """Give every row its prompt's keys, values, positions and first logits."""
        device, width = self._runner.device, max(part.slab.length for part in filled)
        longest = int(self._limits.max())
        self._slab = self._runner.slab(len(self._asked), width + min(longest, 64), width)
        self._keys = torch.full((len(self._asked), width + longest), -1, device=device)
        logits, row = [], 0
        for part in filled:
            counts = [sum(len(jobs[job].seeds) for job in prompt.jobs) for prompt in part.prompts]
            repeats, end = torch.tensor(counts, device=device), row + sum(counts)
            self._slab.take(part.slab, slice(row, end), repeats)
            self._keys[row:end, width - part.slab.length : width] = part.positions.repeat_interleave(repeats, 0)
            logits.append(part.logits.repeat_interleave(repeats, 0))
            row = end
        lengths = torch.tensor([[len(job.ids)] for job in self._asked], device=device)
        self._keys[:, width:] = lengths + torch.arange(longest, device=device)
        self._first, self._positions = torch.cat(logits), lengths

    def run(self, ends: Flags, enders: Flags | None, holds_stop: StopCheck) -> list[list[Sample]]:
        """Decode until every row has ended; the samples of each job, in the order of its seeds.

        ``ends`` [vocabulary]: tokens that end a turn. ``enders`` [vocabulary]: tokens that may complete a stop string.
        """
        origin = np.arange(len(self._asked))  # the sample that each row of the batch is
        alive = np.ones(len(origin), dtype=bool)
        logits, step, mask = self._first, 0, self._whole_mask()
        while True:
            drawn, logprobs = self._sampler.draw(logits, step)
            tokens = drawn.cpu().numpy()
            self._tokens[origin, step], self._logprobs[origin, step] = tokens, logprobs.cpu().numpy()
            ended = alive & ends[tokens]
            stopped = ended | self._at_stop(alive, tokens, enders, origin, step, holds_stop)
            done = stopped | (alive & (self._limits[origin] == step + 1))
            if done.any():
                self._finish(origin[done], step + 1, stopped[done], ended[done])
                alive &= ~done
                if not alive.any():
                    return self._samples()
                if alive.mean() < self.keep:
                    drawn, mask = self._select(np.flatnonzero(alive), drawn, mask)
                    origin, alive = origin[alive], np.ones(int(alive.sum()), dtype=bool)
            logits = self._step(drawn, mask)
            step += 1

    def _step(self, tokens: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        columns = self._slab.length + 1
        seen = self._runner.mask(self._positions, self._keys[:, :columns]) if mask is None else mask[..., :columns]
        logits = self._runner.forward(tokens[:, None], self._positions, seen, self._slab)
        self._positions = self._positions + 1
        return logits

    def _whole_mask(self) -> torch.Tensor | None:
        """The mask of all steps, of which each step takes its columns; None where it changes from step to step."""
        if self._runner.windowed:
            return None
        mask: torch.Tensor = self._runner.mask(self._keys[:, -1:], self._keys)
        return mask

    def _at_stop(
        self, alive: Flags, tokens: Any, enders: Flags | None, origin: Any, step: int, holds_stop: StopCheck
    ) -> Flags:
        found = np.zeros_like(alive)
        if enders is not None:
            for row in np.flatnonzero(alive & enders[tokens]):
                sample = origin[row]
                stop = self._stop[sample]
                found[row] = bool(stop) and holds_stop(stop, self._tokens[sample, : step + 1].tolist())
        return found

    def _finish(self, samples: Any, length: int, stopped: Flags, ended: Flags) -> None:
        self._length[samples], self._stopped[samples], self._ended[samples] = length, stopped, ended

    def _select(self, rows: Any, tokens: torch.Tensor, mask: torch.Tensor | None) -> tuple[torch.Tensor, Any]:
        index = torch.from_numpy(rows).to(self._runner.device)
        self._slab.select(index)
        self._sampler.select(index)
        self._keys, self._positions = self._keys[index], self._positions[index]
        return tokens[index], None if mask is None else mask[index]

    def _samples(self) -> list[list[Sample]]:
        answers: list[list[Sample]] = [[] for _ in range(max(self._jobs) + 1)]
        for row, job in enumerate(self._jobs):
            length = self._length[row]
            answers[job].append(
                Sample(
                    tuple(self._tokens[row, :length].tolist()),
                    tuple(self._logprobs[row, :length].tolist()),
                    stopped=bool(self._stopped[row]),
                    ended=bool(self._ended[row]),
                    cached=self._cached[row],
                )
            )
        return answers
