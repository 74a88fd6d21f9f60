"""How many CPU threads a forward pass is worth.

Two threads that meet after each operation lose more than they gain where an operation takes microseconds: a decode step
of a small model is a hundred of those (docs/lab-notes.md has the figures).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from agentr_transformers.runtime import torch

#: A matrix product below both is done sooner by one thread than by two that have to meet: so many operations, and so
#: many bytes of weights to read from memory.
SMALL_FLOP, SMALL_BYTES = 64e6, 2e6


class Threads:
    """The threads of a loaded model's passes: all that torch has, or one where the pass is small."""

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config()
        hidden = _largest(getattr(config, "hidden_size", 0))
        self._weights = hidden * (_largest(getattr(config, "intermediate_size", 0)) or 4 * hidden)
        self._on_cpu = model.device.type == "cpu"

    def small(self, tokens: int) -> bool:
        """True where the largest product of a layer, over ``tokens`` tokens, is not worth a second thread."""
        flop, size = 2 * tokens * self._weights, 4 * self._weights
        return self._on_cpu and flop < SMALL_FLOP and size < SMALL_BYTES

    @contextmanager
    def for_tokens(self, tokens: int) -> Iterator[None]:
        """Run what is inside with the threads that a pass over ``tokens`` tokens is worth."""
        all_threads = torch.get_num_threads()
        if all_threads == 1 or not self.small(tokens):
            yield
            return
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(all_threads)


def _largest(size: Any) -> int:
    """A size that some models state layer by layer (Gemma 3n); 0 where it is not stated."""
    sizes = size if isinstance(size, list | tuple) else [size]
    return max((int(each) for each in sizes if each), default=0)
