"""Memory between stages: what a stage is done with goes back to the system before the next one begins."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


def release_memory() -> None:
    """Collect garbage and give freed pages back.

    Models and trainers refer to themselves, and glibc keeps what was freed below anything that is still in use: a run
    that trains and searches in turn would grow by gigabytes.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library, which has no such call
        ctypes.CDLL("libc.so.6").malloc_trim(0)
