"""Ctrl-C at the worst moment: in the middle of a write."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from agentr_core.process.interrupt import StopSignal
from agentr_core.store import open_store


def test_a_signal_in_the_middle_of_a_write_loses_nothing_of_it(tmp_path: Path) -> None:
    """The handler sets a flag: were it to write, it would break into the transaction that it interrupts."""
    with open_store(tmp_path / "agentr.db") as store, StopSignal() as stopped:
        with store.transaction():
            first = store.runs.create("run", {"n": 1}, seed=1)
            os.kill(os.getpid(), signal.SIGINT)
            second = store.runs.create("run", {"n": 2}, seed=2)
        assert stopped()
        store.runs.create("run", {"n": 3}, seed=3)
        assert [store.runs.find(run.key).key for run in (first, second)] == [first.key, second.key]
        assert store.connection.counts()["runs"] == 3
