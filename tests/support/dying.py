"""A policy that ends its worker's process, and an observer that ends or interrupts the run's: at a place, not a time.

``DIE_FOLDER``: workers that come to the task ``DIE_ON`` (any, where it is not given) end, as many as the folder has
empty files; each takes one with it. ``PIDS``: a folder in which each worker that is ready has a file
of its number, which says how often it was asked. ``PAUSE``: seconds that an answer takes.
"""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from agentr_scripted.flawed import FlawedPolicy

from agentr_core import Completion, SampleRequest, TreeFinished, hookimpl

#: Requests that a worker answers before it may end.
BEFORE = 3


class Dying(FlawedPolicy):
    """The flawed expert, whose process may end in the middle of a tree."""

    asked = 0

    async def ready(self) -> None:
        self.note()

    async def sample(self, request: SampleRequest) -> list[Completion]:
        self.asked += 1
        self.note()
        folder, key = os.environ.get("DIE_FOLDER"), os.environ.get("DIE_ON")
        if folder and self.asked > BEFORE and request.task is not None and key in (None, request.task.key):
            for life in sorted(Path(folder).iterdir()):
                try:
                    life.unlink()
                except FileNotFoundError:  # another worker took it
                    continue
                os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(float(os.environ.get("PAUSE", "0")))
        return await super().sample(request)

    def note(self) -> None:
        if folder := os.environ.get("PIDS"):
            (Path(folder) / str(os.getpid())).write_text(str(self.asked))


seen: list[int] = []


@hookimpl
def agentr_tree_finished(event: TreeFinished) -> None:
    """``SIGNAL_AFTER=TREES:NUMBER`` sends the run's own process a signal, once."""
    seen.append(event.tree)
    after, _, number = os.environ.get("SIGNAL_AFTER", "").partition(":")
    if after and len(seen) == int(after):
        os.kill(os.getpid(), int(number))
