"""Demonstrations: the simulator plans a solution, it is played, and what succeeds is kept on disk.

The simulator draws random numbers when it plans, so the plan for a task is not the same each time: the first one that
was found is the one that stands, for all processes that share the cache.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agentr_core import Task, cache_folder, content_hash
from agentr_sciworld.fleet import Fleet
from agentr_sciworld.moments import Begin
from agentr_sciworld.worker import Worker

if TYPE_CHECKING:
    from agentr_sciworld.env import SciWorld


class Demonstrations:
    """Finds the demonstrations of ``player``'s tasks; ``folder`` is where they are kept ("": the user's cache)."""

    def __init__(self, fleet: Fleet, player: SciWorld, folder: str = "") -> None:
        self._fleet, self._player, self._folder = fleet, player, Path(folder) if folder else cache_folder() / "sciworld"

    def of(self, task: Task) -> tuple[str, ...] | None:
        """The actions that solve ``task``; None where the plan does not succeed within the player's caps."""
        path = self._folder / content_hash(self._player.version)[:16] / f"{task.key.replace('/', '_')}.json"
        if (kept := _read(path)) is None:
            kept = {"task": task.key, "actions": self._find(task)}
            _write(path, kept)
            kept = _read(path) or kept  # another process may have been first
        actions = kept["actions"]
        return None if actions is None else tuple(str(action) for action in actions)  # type: ignore[attr-defined]

    def _find(self, task: Task) -> list[str] | None:
        begin = Begin(
            str(task.metadata["task"]),
            int(task.metadata["variation"]),
            ",".join(self._player.config.simplifications),
        )
        planned = plan(self._fleet, begin)
        self._player.reset(task)
        for count, action in enumerate(planned, 1):
            result = self._player.step(action)
            if result.terminated and result.reward >= 1.0:
                return planned[:count]
            if result.terminated or result.truncated:
                break
        return None


def plan(fleet: Fleet, begin: Begin) -> list[str]:
    """The simulator's own plan for a task."""

    def ask(worker: Worker) -> list[str]:
        worker.load(begin, gold=True)
        return worker.gold()

    return fleet.use(ask)


def _read(path: Path) -> dict[str, object] | None:
    """A kept demonstration; None where there is none, or what is there is no demonstration."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return kept if isinstance(kept, dict) and "actions" in kept else None


def _write(path: Path, kept: dict[str, object]) -> None:
    """Keep it unless another process was first. A cache that cannot be written costs time, not the run."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".new", delete=False, encoding="utf-8") as file:
            json.dump(kept, file)
        temporary = Path(file.name)
        with suppress(FileExistsError):
            path.hardlink_to(temporary)
        temporary.unlink()
