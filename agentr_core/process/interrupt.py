"""Ctrl-C: the first one lets the work at hand finish, the second one stops at once."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Event
from types import FrameType

from agentr_core.errors import ExitCode

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

    ``on_first`` is called at the first signal, while the program still runs: a run marks itself interrupted there, so
    nothing has to be written at the second, which ends the process with exit code 130.
    """

    def __init__(self, on_first: Callable[[], None] = lambda: None) -> None:
        self.on_first, self.set = on_first, False
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
        if self.set:
            os._exit(ExitCode.INTERRUPTED)
        self.set = True
        print("\ninterrupted: finishing the work at hand (again to stop at once)", file=sys.stderr, flush=True)
        self.on_first()
