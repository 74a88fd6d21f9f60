"""CUDA graphs: what a function starts on the GPU, recorded once and started again as one operation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache

from agentr_transformers.runtime import torch

logger = logging.getLogger(__name__)


class Graphs:
    """Records graphs on ``device`` that share memory for what they compute in between; only the latest is replayed."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool, self._stream = torch.cuda.graph_pool_handle(), _stream(device)
        #: Keeps the pool alive: torch cannot take up again one whose last graph is gone.
        self._first: torch.cuda.CUDAGraph | None = None
        self._possible = True
        #: How many have been recorded.
        self.recorded = 0

    def record(self, function: Callable[[], torch.Tensor]) -> tuple[torch.cuda.CUDAGraph | None, torch.Tensor]:
        """The graph of ``function`` and the tensor that it fills; None, now and from then on, where it has none.

        Nothing is computed while it is recorded. A model that asks the GPU for a value amid a pass cannot be recorded.
        """
        if not self._possible:
            return None, torch.empty(0)
        try:
            if self._first is None:
                self._first, _ = self._capture(lambda: torch.zeros(1, device=self._device))
            made = self._capture(function)
            self.recorded += 1
            return made
        except RuntimeError as error:
            self._possible = False
            logger.debug("the model's step cannot be recorded: %s", error)
            return None, torch.empty(0)

    def _capture(self, function: Callable[[], torch.Tensor]) -> tuple[torch.cuda.CUDAGraph, torch.Tensor]:
        # torch.cuda.graph would empty the allocator's cache, and in some versions collect all garbage, each time.
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                output = function()
            finally:
                graph.capture_end()
        current.wait_stream(self._stream)
        return graph, output


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """The stream that graphs are recorded on, one for all models: cuBLAS keeps 32 MB for each stream for ever."""
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
