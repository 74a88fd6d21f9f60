"""Freed memory goes back to the system, where the C library can be told so."""

from __future__ import annotations

import gc
import platform

import pytest
from resident import resident

from agentr_core.memory import SELDOM, release_memory, seldom_collecting

MEGABYTE = 1 << 20


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc keeps freed memory and can be told to trim it"
)
def test_freed_memory_below_a_survivor_goes_back() -> None:
    release_memory()
    before = resident()
    blocks = [bytearray(b"x" * 65_000) for _ in range(200 * 16)]
    survivors = blocks[::100]
    del blocks
    gc.collect()
    assert resident() - before > 100 * MEGABYTE, "the library kept it: there is something to give back"
    release_memory()
    assert resident() - before < 50 * MEGABYTE and len(survivors) == 32


def test_garbage_is_collected_seldom_inside_and_as_before_outside() -> None:
    before = gc.get_threshold()
    with seldom_collecting():
        assert gc.get_threshold() == (max(before[0], SELDOM), *before[1:])
    assert gc.get_threshold() == before
