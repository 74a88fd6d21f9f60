"""Ctrl-C: the first one lets the work at hand finish, the second one stops at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event
from types import FrameType

from agentr_core.errors import ExitCode

#: Whatever ``sys.stderr`` has been replaced by.
_STDERR = 2
SIGNALS = (signal.SIGINT, signal.SIGTERM)
#: Set by a program that runs agentr in a thread of its own, to ask it to stop.
_asked: ContextVar[Event | None] = ContextVar("asked", default=None)


@contextmanager
def stoppable() -> Iterator[Event]:
    """An event to set in place of Ctrl-C, for the :class:`StopSignal` of threads that are started inside."""
    event = Event()
    token = _asked.set(event)
    try:
        yield event
    finally:
        _asked.reset(token)


class StopSignal:
    """A context in which Ctrl-C and SIGTERM set a flag; asking it (calling the object) tells whether they came.

    Nothing but the flag: a handler runs between any two steps of the program, so one that wrote would break into a
    write. The second signal ends the process with exit code 130; what it had committed is kept, and ``advice`` says how
    to go on from it.
    """

    def __init__(self, advice: str = "") -> None:
        self.set = False
        self._last = f"\nstopped at once; what was committed is kept{advice and f'; {advice}'}\n".encode()
        self._asked = _asked.get()
        self._before: dict[signal.Signals, object] = {}

    def __call__(self) -> bool:
        """True once a signal came, or the event of :func:`stoppable` is set."""
        return self.set or (self._asked is not None and self._asked.is_set())

    def __enter__(self) -> StopSignal:
        with suppress(ValueError):  # not in the main thread: whoever called us there handles signals
            for number in SIGNALS:
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        said = self._last if self.set else b"\ninterrupted: finishing the work at hand (again to stop at once)\n"
        with suppress(OSError):  # nothing buffered: the program may be in the middle of a print
            os.write(_STDERR, said)
        if self.set:
            os._exit(ExitCode.INTERRUPTED)
        self.set = True
