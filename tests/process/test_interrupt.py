"""Ctrl-C at the worst moment: in the middle of a write."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
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


TWICE = """
import os, signal
from agentr_core.process.interrupt import StopSignal
with StopSignal("go on with: agentr resume ABCD"):
    for _ in range(2):
        os.kill(os.getpid(), signal.SIGINT)
print("never")
"""


def test_a_second_signal_ends_at_once_and_says_how_to_go_on() -> None:
    done = subprocess.run([sys.executable, "-c", TWICE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.split("\n") == [
        "",
        "interrupted: finishing the work at hand (again to stop at once)",
        "",
        "stopped at once; what was committed is kept; go on with: agentr resume ABCD",
        "",
    ]
