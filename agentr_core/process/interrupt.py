"""Ctrl-C: the first one lets the work at hand finish, the second one stops at once."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

from agentr_core.errors import ExitCode

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignal:
    """A context in which Ctrl-C and SIGTERM set a flag; asking it (calling the object) tells whether they came.

    Nothing but the flag: a handler runs between any two steps of the program, so one that wrote would break into a
    write. The second signal ends the process with exit code 130; what it had committed is kept.
    """

    def __init__(self) -> None:
        self.set = False
        self._before: dict[signal.Signals, object] = {}

    def __call__(self) -> bool:
        """True once a signal came."""
        return self.set

    def __enter__(self) -> StopSignal:
        with suppress(ValueError):  # not in the main thread: whoever called us there handles signals
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.set:
            os._exit(ExitCode.INTERRUPTED)
        self.set = True
        os.write(sys.stderr.fileno(), b"\ninterrupted: finishing the work at hand (again to stop at once)\n")
