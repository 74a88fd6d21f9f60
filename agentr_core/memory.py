"""Memory between stages: what a stage is done with goes back to the system before the next one begins."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: Objects made between two collections of the youngest garbage; Python's own choice is 700. More would not spare much,
#: and a collection holds up the event loop: this many take a few milliseconds.
SELDOM = 20_000


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Collect garbage less often: trees in flight are hundreds of thousands of objects, and hardly any is garbage.

    What is there already (the modules: as many objects again) is not looked at.
    """
    youngest, *older = gc.get_threshold()
    gc.set_threshold(max(youngest, SELDOM), *older)
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(youngest, *older)


def release_memory() -> None:
    """Collect garbage and give freed pages back.

    Models and trainers refer to themselves, and glibc keeps what was freed below anything that is still in use: a run
    that trains and searches in turn would grow by gigabytes.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library, which has no such call
        ctypes.CDLL("libc.so.6").malloc_trim(0)
