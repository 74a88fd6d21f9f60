"""Game files of TextWorld on disk. Nothing here needs TextWorld."""

from __future__ import annotations

from pathlib import Path

from agentr_core import UsageError

#: What TextWorld's ``tw-make`` writes and its interpreters play.
SUFFIXES = (".z8", ".z7", ".z6", ".z5", ".z4", ".z3", ".ulx")


def files_at(place: str) -> tuple[str, ...]:
    """``place`` itself where it is a file, the game files in it (sorted by name) where it is a folder."""
    path = Path(place).expanduser()
    found = [path] if path.is_file() else sorted(each for each in path.glob("*") if each.suffix in SUFFIXES)
    if not found:
        raise UsageError(
            f"gymnasium.id: there is no game file at '{path}'; make some, e.g.: "
            f"tw-make custom --seed 1 --output {path / 'game.z8' if not path.suffix else path}"
        )
    return tuple(str(each) for each in found)
