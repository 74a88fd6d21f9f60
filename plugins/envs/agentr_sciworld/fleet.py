"""The Java processes of this program: as many as wanted at most, lent to all environments that share their settings.

An environment is cheap: it is the list of its inputs. When it is to do something it asks for a worker, and is lent the
one with the shortest way to its state: one that stands before it, holds a snapshot of it or of a state before it, else
any. Where a busy worker is so much nearer that waiting for it costs less than replay elsewhere, it waits. A lost worker
and one that somebody else has used are the same case: another one is brought to the state.
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

from agentr_core import EnvironmentFailure, JavaLost, usable_cores
from agentr_sciworld.jvm import JvmSettings
from agentr_sciworld.moments import Moment
from agentr_sciworld.worker import LOAD, Worker

T = TypeVar("T")

#: As many workers may be lost at one and the same piece of work before it is given up.
ATTEMPTS = 3
#: What is expected of a worker that is busy, and of one to be started, beside the way to a state, in steps.
BUSY, START = 1.5, 1.0
#: About how long a step takes, in seconds: a worker that is busy for longer than expected is expected to stay so.
STEP_SECONDS = 0.01
#: So long (seconds) a worker without snapshots is left to the one who used it last before another one may move it: an
#: agent that answers at once keeps its worker, one that waits for a language model does not hold up the others.
PATIENCE = 0.05
#: The cost of moving such a worker all the same: more than that of any way.
LEFT_ALONE = 1e6


class Request:
    """Somebody waits for a worker that is to be brought to ``goal`` (None: any will do).

    Answered by ``worker``, or by ``start``: a worker is to be started for it.
    """

    __slots__ = ("goal", "start", "turn", "worker")

    def __init__(self, goal: Moment | None, lock: threading.Lock) -> None:
        self.goal, self.turn = goal, threading.Condition(lock)
        self.worker: Worker | None = None
        self.start = False

    def way(self, worker: Worker | None) -> float:
        """What it takes a worker (None: a new one) to be where it is wanted, in steps."""
        if self.goal is None:
            return 0.0
        return LOAD + self.goal.depth if worker is None else worker.way(self.goal)


class Fleet:
    """At most ``size`` workers, each replaced after ``recycle`` episodes. Safe to use from many threads.

    ``lost`` counts workers that died or froze.
    """

    def __init__(self, settings: JvmSettings, size: int, recycle: int) -> None:
        self.settings, self.size, self.recycle = settings, size, recycle
        self.lost = 0
        self._exact: bool | None = None
        self._lock = threading.Lock()
        #: Since when (monotonic seconds) each worker has been idle, or busy.
        self._idle: dict[Worker, float] = {}
        self._busy: dict[Worker, float] = {}
        self._starting = 0
        self._waiting: list[Request] = []
        self._users: weakref.WeakSet[object] = weakref.WeakSet()

    @property
    def exact(self) -> bool:
        """Whether replay is exact on this machine's Java; starts a worker where none has told yet."""
        if self._exact is None:
            self.use(lambda worker: None)
        return bool(self._exact)

    @property
    def workers(self) -> list[Worker]:
        """The workers there are."""
        with self._lock:
            return [*self._idle, *self._busy]

    def join(self, user: object) -> None:
        """``user`` may want workers."""
        with self._lock:
            self._users.add(user)

    def leave(self, user: object) -> None:
        """``user`` wants none any more; when the last one leaves, the workers end."""
        with self._lock:
            self._users.discard(user)
            empty = not self._users
        if empty:
            self.close()

    def use(self, work: Callable[[Worker], T], goal: Moment | None = None) -> T:
        """``work(worker)``, again with another worker where one is lost: it must begin by bringing it to ``goal``.

        :class:`~agentr_core.EnvironmentFailure` where as many as :data:`ATTEMPTS` are lost one after another.
        """
        reasons = []
        for _ in range(ATTEMPTS):
            try:
                with self._lend(goal) as worker:
                    return work(worker)
            except JavaLost as lost:
                reasons.append(str(lost))
        raise EnvironmentFailure(
            f"ScienceWorld lost {ATTEMPTS} Java processes one after another ({reasons[-1]}); "
            "give them more memory (-o sciworld.memory_mb=512) or time (-o sciworld.timeout=600)"
        )

    def close(self) -> None:
        """End all idle workers and wait until they have ended; those in use end when they are given back."""
        with self._lock:
            workers, self._idle = list(self._idle), {}
            self._serve()
        for worker in workers:
            worker.close()

    @contextmanager
    def _lend(self, goal: Moment | None) -> Iterator[Worker]:
        worker = self._take(goal) or self._start()
        try:
            yield worker
        except JavaLost:
            self._drop(worker, lost=True)
            raise
        except BaseException:
            self._drop(worker, lost=False)
            raise
        self._give_back(worker)

    def _take(self, goal: Moment | None) -> Worker | None:
        """The worker to use; None where one is to be started. Waits where neither is the case."""
        with self._lock:
            request = Request(goal, self._lock)
            self._waiting.append(request)
            try:
                self._serve()
                while not (request.worker or request.start):
                    request.turn.wait(PATIENCE)
                    self._serve()
            except BaseException:  # Ctrl-C while waiting: what it has been lent, if anything, is free again
                self._withdraw(request)
                raise
            return request.worker

    def _withdraw(self, request: Request) -> None:
        if request.worker is not None:
            del self._busy[request.worker]
            self._idle[request.worker] = time.monotonic()
        elif request.start:
            self._starting -= 1
        else:
            self._waiting.remove(request)
        self._serve()

    def _serve(self) -> None:
        """Lend what is idle and start what is worth it. Oldest first, each request chooses the worker that is there
        soonest; it stands in the queue of that one where it is busy or an older request has chosen it too."""
        if not self._idle and not self._room():
            return
        now = time.monotonic()
        queues = dict.fromkeys(self._idle, 0.0)
        queues |= {worker: max(BUSY, (now - since) / STEP_SECONDS) for worker, since in self._busy.items()}
        for request in list(self._waiting):
            costs = {worker: queue + self._cost(worker, request, now) for worker, queue in queues.items()}
            best = min(costs, key=costs.__getitem__, default=None)
            if self._room() and (best is None or costs[best] > START + request.way(None)):
                self._starting += 1
                self._answer(request, None)
            elif best is not None:
                if best in self._idle and costs[best] < LEFT_ALONE:
                    self._answer(request, best)
                queues[best] = costs[best] + 1

    def _room(self) -> bool:
        return len(self._idle) + len(self._busy) + self._starting < self.size

    def _cost(self, worker: Worker, request: Request, now: float) -> float:
        way = request.way(worker)
        forgets = worker.snapshots is None and worker.stand is not None and way >= LOAD
        recent = now - self._idle.get(worker, 0.0) < PATIENCE
        return way + LEFT_ALONE * (forgets and recent)

    def _answer(self, request: Request, worker: Worker | None) -> None:
        self._waiting.remove(request)
        request.worker, request.start = worker, worker is None
        if worker is not None:
            del self._idle[worker]
            self._busy[worker] = time.monotonic()
        request.turn.notify()

    def _start(self) -> Worker:
        worker = None
        try:
            worker = Worker(self.settings)
        finally:
            with self._lock:
                self._starting -= 1
                if worker is not None:
                    self._busy[worker] = time.monotonic()
                    self._exact = worker.exact if self._exact is None else self._exact and worker.exact
                self._serve()
        return worker

    def _give_back(self, worker: Worker) -> None:
        worn = worker.loads >= self.recycle
        with self._lock:
            del self._busy[worker]
            stays = not worn and bool(self._users)
            if stays:
                self._idle[worker] = time.monotonic()
            self._serve()
        if not stays:
            worker.close()

    def _drop(self, worker: Worker, *, lost: bool) -> None:
        with self._lock:
            del self._busy[worker]
            self.lost += lost
            self._serve()
        worker.close()


_fleets: dict[tuple[JvmSettings, int, int], Fleet] = {}
_lock = threading.Lock()


def fleet(settings: JvmSettings, workers: int, recycle: int) -> Fleet:
    """The fleet of this process with these settings; ``workers`` 0 means one for each core."""
    key = (settings, workers or usable_cores(), recycle)
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
