"""Freed memory goes back to the system, where the C library can be told so."""

from __future__ import annotations

import gc
import platform
from pathlib import Path

import pytest
from resident import resident

from agentr_core import Node, TreeFinished, configure, hookimpl
from agentr_core.play.branches import Place
from agentr_core.process.garbage import THRESHOLDS, release_memory, seldom_collecting
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import Registry
from agentr_core.runs.start_and_resume import run

MEGABYTE = 1 << 20


def alive() -> int:
    return sum(type(each) in (Node, Place) for each in gc.get_objects())


class Counting:
    """Counts the nodes and places that are alive each time a tree is done, and the nodes of the tree."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    @hookimpl
    def agentr_tree_finished(self, event: TreeFinished) -> None:
        self.seen.append((alive(), event.nodes))


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
        assert gc.get_threshold() == tuple(map(max, before, THRESHOLDS))
    assert gc.get_threshold() == before


def test_trees_that_are_done_need_no_collection(tmp_path: Path) -> None:
    counting, registry = Counting(), Registry()
    registry.register(counting, "counting")
    settings = configure(
        env="textcraft",
        policy="flawed",
        trainer="none",
        textcraft={"world": "synthetic", "depth": 3},
        mcts={"simulations": 4, "depth": 9},
        search={"tasks": 20},
        concurrency=1,
        iterations=1,
    )
    gc.collect()
    before = alive()
    gc.disable()
    try:
        quiet = Progress(quiet=True)
        run(settings, db=tmp_path / "agentr.db", stages=("search", "revise"), progress=quiet, registry=registry)
    finally:
        gc.enable()
    # Nothing but the tree that has just ended; its places are gone already.
    assert len(counting.seen) == 20
    assert [there - before for there, _ in counting.seen] == [nodes for _, nodes in counting.seen]
