"""The one Java process of this program and these settings, shared by all environments that have the same.

Each environment has a :class:`Seat` in it: a game object of its own, which no other one touches. Only ``sorting`` has
the same objects in all games of a seed: those take turns, and who finds that somebody else has begun the same one since
plays its episode again. Where the process dies or freezes, the next to ask starts another one, and every seat plays its
episode again there.
"""

from __future__ import annotations

import atexit
import json
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from agentr_core import UsageError
from agentr_textworld_express.jvm import Jvm, JvmSettings

#: Games whose objects are the same for all games of a seed in a process.
SHARING = frozenset({"sorting"})


class Begin(NamedTuple):
    """Where an episode starts."""

    game: str
    params: str
    fold: str
    seed: int


class Seen(NamedTuple):
    """What an input brought. ``score``: normalised, 1 is success, below 0 a failure; ``actions``: the valid ones."""

    observation: str
    score: float
    success: bool
    failure: bool
    actions: tuple[str, ...]


class Machine:
    """At most one process, which lives as long as somebody uses it. ``lost`` counts those that died or froze."""

    def __init__(self, settings: JvmSettings) -> None:
        self.settings = settings
        self.lost = 0
        self._jvm: Jvm | None = None
        self._lock = threading.Lock()
        self._users: weakref.WeakSet[object] = weakref.WeakSet()
        self._turns: dict[tuple[str, int], threading.Lock] = {}

    @contextmanager
    def turn(self, begin: Begin) -> Iterator[None]:
        """Alone with what all games of this beginning share; at once where they share nothing."""
        if begin.game not in SHARING:
            yield
            return
        with self._lock:
            turn = self._turns.setdefault((begin.game, begin.seed), threading.Lock())
        with turn:
            yield

    @property
    def jvm(self) -> Jvm:
        """The process that runs; started where there is none, and in place of one that has died."""
        with self._lock:
            if self._jvm is not None and not self._jvm.alive:
                self._jvm.close()
                self._jvm = None
                self.lost += 1
            if self._jvm is None:
                self._jvm = Jvm(self.settings)
            return self._jvm

    def join(self, user: object) -> None:
        """``user`` may want the process."""
        with self._lock:
            self._users.add(user)

    def leave(self, user: object) -> None:
        """``user`` wants it no more; when the last one leaves, it ends."""
        with self._lock:
            self._users.discard(user)
            empty = not self._users
        if empty:
            self.close()

    def close(self) -> None:
        """End the process and wait until it has ended. May be called twice."""
        with self._lock:
            jvm, self._jvm = self._jvm, None
        if jvm is not None:
            jvm.close()


class Seat:
    """A game object in one process, :class:`~agentr_core.JavaLost` where that is gone or stuck."""

    def __init__(self, jvm: Jvm) -> None:
        self.jvm = jvm
        self._server = jvm.ask(lambda java: java.textworldexpress.runtime.PythonInterface())
        self._loaded: tuple[str, str] | None = None
        self._begun: Begin | None = None

    @property
    def stands(self) -> bool:
        """True where the episode that was begun here is still as its last input left it."""
        begun = self._begun
        if begun is None or begun.game not in SHARING:
            return begun is not None
        return self.jvm.holders.get((begun.game, begun.seed)) is self

    def begin(self, begin: Begin, *, gold: bool = False) -> tuple[str, Seen]:
        """Start an episode: the task's description and what is seen first. With ``gold`` a solution is planned."""
        if self._loaded != begin[:2]:
            self._loaded = None
            if wrong := self.jvm.ask(lambda _: self._server.load(begin.game, begin.params)):
                raise UsageError(f"textworld_express.params: {begin.game} says: {' '.join(wrong.split())}")
            self._loaded = begin[:2]
        shown = self.jvm.ask(lambda _: self._server.generateNewGameJSON(begin.seed, begin.fold, gold))
        self._begun = begin
        if begin.game in SHARING:
            self.jvm.holders[begin.game, begin.seed] = self
        return self.jvm.ask(lambda _: self._server.getTaskDescription()), _seen(shown)

    def step(self, text: str) -> Seen:
        """Execute one input, whatever it is."""
        return _seen(self.jvm.ask(lambda _: self._server.stepJSON(text)))

    def gold(self) -> list[str]:
        """The planned solution, after :meth:`begin` with ``gold``; fetched as one text, not an item at a time."""

        def fetch(java: Any) -> str:
            found = self._server.getGoldActionSequence()
            text = java.java.lang.String.join("\n", found)
            self.jvm.release(found)
            return str(text)

        return [line for line in self.jvm.ask(fetch).split("\n") if line]

    def leave(self) -> None:
        """Let Java free the game."""
        self.jvm.release(self._server)


def _seen(text: str) -> Seen:
    shown = json.loads(text)
    actions = tuple(sorted(shown["validActions"]))  # Java lists them in the order of a hash table
    return Seen(shown["observation"], shown["score"], shown["tasksuccess"], shown["taskfailure"], actions)


_machines: dict[JvmSettings, Machine] = {}
_lock = threading.Lock()


def machine(settings: JvmSettings) -> Machine:
    """The machine of this program with these settings."""
    with _lock:
        return _machines.setdefault(settings, Machine(settings))


def close_all() -> None:
    """End every process of this program."""
    for each in list(_machines.values()):
        each.close()


atexit.register(close_all)
if hasattr(os, "register_at_fork"):
    # A connection must not be used by two processes: a child starts a process of its own.
    os.register_at_fork(after_in_child=_machines.clear)
