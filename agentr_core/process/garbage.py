"""When Python looks for garbage; and memory between stages, which goes back to the system before the next begins."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: After so many new objects they are searched for garbage; after so many of those times, all that were new since; after
#: so many of these, everything. Python's own choice is 700, 10, 10. Whatever is searched holds up the event loop for
#: about a microsecond an object, and trees in flight are hundreds of thousands, hardly any of them garbage.
THRESHOLDS = (2_000, 10, 2_000)


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Collect garbage so that the event loop is never held up for long, whatever is in flight.

    What is there already (the modules: as many objects again) is not looked at. Trees are taken apart by those who are
    done with them (``take_apart`` of ``interfaces/tree.py``) and need no collector.
    """
    before = gc.get_threshold()
    gc.set_threshold(*map(max, before, THRESHOLDS))
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


@contextmanager
def without_collections() -> Iterator[None]:
    """Collect no garbage inside, for work that makes a great deal and drops nothing: an import, a large catalogue.

    Python would walk all of it over and over while it grows.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def release_memory() -> None:
    """Collect garbage and give freed pages back.

    Models and trainers refer to themselves, and glibc keeps what was freed below anything that is still in use: a run
    that trains and searches in turn would grow by gigabytes.
    """
    gc.collect()
    with suppress(OSError, AttributeError):  # another C library, which has no such call
        ctypes.CDLL("libc.so.6").malloc_trim(0)
