"""What a batch keeps from one decode step to the next, and the step itself: two ways, with equal results.

:class:`Rows` reads the columns that are in use, which is the least work and what a CPU wants. On a GPU a step
of a small model is a thousand operations that each take longer to start than to do; :class:`FixedRows` keeps all shapes
fixed for many steps, so that the step can be recorded once as a CUDA graph and then started as one operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from agentr_transformers.kv import Slab
from agentr_transformers.prefill import Filled
from agentr_transformers.runner import Runner
from agentr_transformers.runtime import torch

#: Steps that a row has room for at first.
AHEAD = 48


class Rows:
    """R rows of S slots: keys and values, the position of each slot's next token, and what each slot sees.

    ``filled`` are the prompts and ``repeats`` how many rows each of them gets; ``positions`` [R, S]; ``longest`` is the
    number of steps to come at the most. ``first`` [R x S, vocabulary] are the logits after the prompts.
    """

    #: Rows are dropped once fewer than this share of them is alive: it costs a copy of those that stay.
    keep: ClassVar[float] = 0.75
    #: Nothing is dropped where more than this share of all slots would stay.
    enough: ClassVar[float] = 1.0

    def __init__(
        self,
        runner: Runner,
        filled: Sequence[Filled],
        repeats: Sequence[Sequence[int]],
        positions: torch.Tensor,
        longest: int,
    ) -> None:
        self._runner, self._positions, self._longest = runner, positions, longest
        self._slots = positions.shape[1]
        device, width = runner.device, max(part.slab.length for part in filled)
        total, room = positions.shape[0], min(longest, AHEAD) * self._slots
        self._slab = runner.slab(total, self.columns(width + room), width)
        self._keys = torch.full((total, width), -1, device=device)
        logits, row = [], 0
        for part, counts in zip(filled, repeats, strict=True):
            times, end = torch.tensor(counts, device=device), row + sum(counts)
            self._slab.take(part.slab, slice(row, end), times)
            self._keys[row:end, width - part.slab.length :] = part.positions.repeat_interleave(times, 0)
            logits.append(part.logits.repeat_interleave(times, 0))
            row = end
        self.first = torch.cat(logits).repeat_interleave(self._slots, 0)
        self._seen = self._visible(self._keys[:, None] >= 0)

    def columns(self, wanted: int) -> int:
        """How many columns to make room for where ``wanted`` are needed."""
        return wanted

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Take ``tokens`` [R x S] in; the logits after them, [R x S, vocabulary]."""
        if self._runner.windowed:
            self._keys = torch.cat([self._keys, self._positions], 1)
            mask = self._runner.mask(self._positions, self._keys)
        else:
            mask = self._runner.additive(self._seen[:, :, : self._slab.length + self._slots])
        ids = tokens.view(-1, self._slots)
        logits = self._runner.forward(ids, self._positions, mask, self._slab, keep=self._slots)
        self._positions = self._positions + 1
        return logits.flatten(0, 1)

    def select(self, rows: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> None:
        """Keep only ``rows``, and of each of them the slots ``order`` [rows, slots], in that order."""
        keep, among = (torch.from_numpy(each).to(self._runner.device) for each in (rows, order))
        if len(rows) < len(self._positions):
            self._slab.select(keep)
            self._keys = self._keys[keep]
        seen = self._seen[keep[:, None], among, : self._slab.length]
        self._positions = self._positions[keep[:, None], among]
        self._slots = order.shape[1]
        self._seen = self._visible(seen)

    def _visible(self, seen: torch.Tensor) -> torch.Tensor:
        """What each slot sees: ``seen`` [R, S or 1, columns] so far, and from then on its own tokens."""
        rows = seen.shape[0]
        own = torch.eye(self._slots, dtype=torch.bool, device=seen.device).repeat(1, self._longest)
        seen = seen.expand(rows, self._slots, seen.shape[2])
        return torch.cat([seen, own.expand(rows, *own.shape)], 2)


class FixedRows(Rows):
    """Rows whose step reads all columns there is room for; not for models with sliding windows.

    After the first step of a shape the next one is recorded, where that can be done, and those after it are replayed.
    """

    keep = enough = 0.5
    #: Columns come in multiples of this.
    UNIT: ClassVar[int] = 64

    _recorded: _Recorded | None = None

    def columns(self, wanted: int) -> int:
        """The next multiple of :attr:`UNIT`."""
        return -(-wanted // self.UNIT) * self.UNIT

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Take ``tokens`` in; as :meth:`Rows.step`."""
        if self._slab.length + self._slots > self._slab.columns:
            self._slab.widen(self.columns(self._slab.length + AHEAD * self._slots))
            self._recorded = None
        if self._recorded is None:
            self._recorded = _Recorded(self._runner, self._slab, self._seen, self._positions.clone())
        logits = self._recorded(tokens.view(-1, self._slots))
        self._positions = self._recorded.positions
        return logits.flatten(0, 1)

    def select(self, rows: npt.NDArray[np.int64], order: npt.NDArray[np.int64]) -> None:
        """Keep only these; as :meth:`Rows.select`."""
        self._recorded = None
        super().select(rows, order)


class _Recorded:
    """One step over a slab of fixed shape, the same operations on the same memory each time."""

    def __init__(self, runner: Runner, slab: Slab, seen: torch.Tensor, positions: torch.Tensor) -> None:
        self._runner, self._slab, self.positions = runner, slab, positions
        rows, slots = positions.shape
        self._ids = torch.zeros_like(positions)
        self._columns = torch.arange(slab.columns, device=positions.device)
        #: The columns that the next tokens go to.
        self._places = torch.arange(slab.length, slab.length + slots, device=positions.device)
        self._seen = seen.new_zeros(rows, slots, slab.columns)
        width = min(seen.shape[2], slab.columns)
        self._seen[:, :, :width] = seen[:, :, :width]
        slab.blank()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._logits = torch.empty(0)
        self._steps = 0

    def __call__(self, ids: torch.Tensor) -> torch.Tensor:
        self._ids.copy_(ids)
        graphs = self._runner.graphs
        if self._steps == 1 and graphs is not None:  # the first step has made what cannot be made while recording
            self._graph, self._logits = graphs.record(self._forward)
        if self._graph is None:
            self._logits = self._forward()
        else:
            self._runner.check()
            self._graph.replay()
        self._steps += 1
        self._slab.length += self._places.shape[0]
        return self._logits

    def _forward(self) -> torch.Tensor:
        mask = self._runner.additive(self._seen & (self._columns <= self._places[-1]))
        with self._slab.writing_at(self._places):
            logits = self._runner.forward(self._ids, self.positions, mask, self._slab, keep=self._places.shape[0])
        self.positions += 1
        self._places += self._places.shape[0]
        return logits
