"""The Java processes of this program: as many as wanted at most, lent to all environments that share their settings.

An environment is cheap: it is the list of its inputs. When it is to do something it borrows a worker, by choice the
one it used last. One that no other environment has used since still stands where it was left; any other is brought to
the right state by replay. So a lost process and one that somebody else needed more are the same case.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from agentr_core import EnvironmentFailure
from agentr_sciworld.jvm import JvmSettings, WorkerLost
from agentr_sciworld.worker import Worker

T = TypeVar("T")

#: So long (seconds) an idle worker is left to the environment that used it last, before another one may take it: an
#: agent that answers at once keeps its worker, one that waits for a language model does not hold up the others.
PATIENCE = 0.05
#: As many workers may be lost at one and the same piece of work before it is given up.
ATTEMPTS = 3


class Seat:
    """An environment's place in a fleet: which worker it used last."""

    __slots__ = ("__weakref__", "worker")

    def __init__(self) -> None:
        self.worker: Worker | None = None


class Fleet:
    """At most ``size`` workers, each replaced after ``recycle`` episodes. Safe to use from many threads.

    ``lost`` counts workers that died or froze, ``divergences`` inputs that did not show in a replay what they had shown
    before.
    """

    def __init__(self, settings: JvmSettings, size: int, recycle: int) -> None:
        self.settings, self.size, self.recycle = settings, size, recycle
        self.lost = self.divergences = 0
        self._exact: bool | None = None
        self._changed = threading.Condition()
        self._idle: dict[Worker, float] = {}
        self._busy: set[Worker] = set()
        self._starting = 0
        self._seats: weakref.WeakSet[Seat] = weakref.WeakSet()

    @property
    def exact(self) -> bool:
        """Whether replay is exact on this machine's Java; starts a worker where none has told yet."""
        if self._exact is None:
            seat = Seat()
            self.use(seat, lambda worker: None)
        return bool(self._exact)

    @property
    def workers(self) -> list[Worker]:
        """The workers there are."""
        with self._changed:
            return [*self._idle, *self._busy]

    def join(self) -> Seat:
        """A seat for an environment."""
        seat = Seat()
        with self._changed:
            self._seats.add(seat)
        return seat

    def leave(self, seat: Seat) -> None:
        """Give a seat back; with the last one the workers end."""
        with self._changed:
            self._seats.discard(seat)
            seat.worker = None
            empty = not self._seats
        if empty:
            self.close()

    def use(self, seat: Seat, work: Callable[[Worker], T]) -> T:
        """``work(worker)``, again with another worker where one is lost: it must begin by bringing it to its state.

        :class:`~agentr_core.EnvironmentFailure` where as many as :data:`ATTEMPTS` are lost one after another.
        """
        reasons = []
        for _ in range(ATTEMPTS):
            try:
                with self._lend(seat) as worker:
                    return work(worker)
            except WorkerLost as lost:
                reasons.append(str(lost))
        raise EnvironmentFailure(
            f"ScienceWorld lost {ATTEMPTS} Java processes one after another ({reasons[-1]}); "
            "give them more memory (-o sciworld.memory_mb=512) or time (-o sciworld.timeout=600)"
        )

    def close(self) -> None:
        """End all idle workers and wait until they have ended; those in use end when they are given back."""
        with self._changed:
            workers, self._idle = list(self._idle), {}
            self._changed.notify_all()
        for worker in workers:
            worker.close()

    @contextmanager
    def _lend(self, seat: Seat) -> Iterator[Worker]:
        worker = self._take(seat) or self._start()
        seat.worker = worker
        try:
            yield worker
        except WorkerLost:
            self._drop(worker, lost=True)
            raise
        except BaseException:
            self._drop(worker, lost=False)
            raise
        self._give_back(worker, seat)

    def _take(self, seat: Seat) -> Worker | None:
        """An idle worker; None where one may be started. Waits where neither is the case."""
        with self._changed:
            while True:
                worker = seat.worker if seat.worker in self._idle else self._spare()
                if worker is not None:
                    del self._idle[worker]
                    self._busy.add(worker)
                    return worker
                if len(self._idle) + len(self._busy) + self._starting < self.size:
                    self._starting += 1
                    return None
                self._changed.wait(PATIENCE if self._idle else None)

    def _spare(self) -> Worker | None:
        """An idle worker that no seat holds, else the one that has been left alone longest, if long enough."""
        held = {id(seat.worker) for seat in self._seats}
        if free := next((worker for worker in self._idle if id(worker) not in held), None):
            return free
        oldest = next(iter(self._idle), None)  # in the order of being given back
        if oldest is None or len(self._idle) + len(self._busy) + self._starting < self.size:
            return None
        return oldest if time.monotonic() - self._idle[oldest] >= PATIENCE else None

    def _start(self) -> Worker:
        try:
            worker = Worker(self.settings)
        except BaseException:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()
            raise
        with self._changed:
            self._starting -= 1
            self._busy.add(worker)
            self._exact = worker.exact if self._exact is None else self._exact and worker.exact
        return worker

    def _give_back(self, worker: Worker, seat: Seat) -> None:
        worn = worker.loads >= self.recycle
        with self._changed:
            self._busy.discard(worker)
            stays = not worn and bool(self._seats)
            if stays:
                self._forget(worker, keep=seat)
                self._idle[worker] = time.monotonic()
            self._changed.notify_all()
        if not stays:
            worker.close()

    def _forget(self, worker: Worker, keep: Seat) -> None:
        """Other seats that used this worker before have lost it."""
        for seat in self._seats:
            if seat is not keep and seat.worker is worker:
                seat.worker = None

    def _drop(self, worker: Worker, *, lost: bool) -> None:
        with self._changed:
            self._busy.discard(worker)
            self.lost += lost
            self._changed.notify_all()
        worker.close()


_fleets: dict[tuple[JvmSettings, int, int], Fleet] = {}
_lock = threading.Lock()


def fleet(settings: JvmSettings, workers: int, recycle: int) -> Fleet:
    """The fleet of this process with these settings; ``workers`` 0 means one for each core."""
    key = (settings, workers or os.cpu_count() or 1, recycle)
    with _lock:
        if key not in _fleets:
            _fleets[key] = Fleet(*key)
        return _fleets[key]


def close_all() -> None:
    """End every worker of this process."""
    for each in list(_fleets.values()):
        each.close()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    # A connection must not be used by two processes: a child starts workers of its own.
    os.register_at_fork(after_in_child=_fleets.clear)
