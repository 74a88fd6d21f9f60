"""Demonstrations: the game plans a solution, it is played, and what succeeds is kept on disk.

For some games (``coin``, ``twc``) the plan is another one each time, because it looks around by chance: the first one
that was found is the one that stands, for all processes that share the cache.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path


class Kept:
    """Demonstrations on disk below ``folder``, by the key of their task."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str) -> list[str] | None:
        """What is kept; None where there is nothing, or what is there is no demonstration."""
        try:
            kept = json.loads((self._folder / f"{key}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept if isinstance(kept, list) and all(isinstance(action, str) for action in kept) else None

    def keep(self, key: str, actions: list[str]) -> list[str]:
        """Keep ``actions`` unless another process was first; what stands. A cache that cannot be written costs time."""
        path = self._folder / f"{key}.json"
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self._folder, suffix=".new", delete=False) as file:
                json.dump(actions, file)
            with suppress(FileExistsError):
                path.hardlink_to(file.name)
            Path(file.name).unlink()
        return self.read(key) or actions
