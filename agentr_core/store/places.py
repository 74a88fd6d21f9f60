"""Folders by their place beside the database, so that a project can be moved or copied."""

from __future__ import annotations

import os
from pathlib import Path


def home(database: Path) -> Path:
    """The folder of a database: absolute, and the same however the database was named (``../project/agentr.db``)."""
    return Path(os.path.abspath(database)).parent  # noqa: PTH100 - without ".." and without following links


def kept(path: str | Path, home: Path) -> str:
    """How the store keeps a folder: from ``home`` on, the database's folder, where it lies below; else absolute."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - without ".." and without following links
    return absolute.relative_to(home).as_posix() if absolute.is_relative_to(home) else str(absolute)


def found(path: str, home: Path) -> str:
    """Where a folder that the store keeps is now, absolute.

    Older databases hold absolute paths: one that is gone, with the same end below ``home``, has moved along with it.
    """
    if not Path(path).is_absolute():
        return str(home / path)
    return path if Path(path).exists() else str(_moved(Path(path), home) or path)


def found_model(name: str, home: Path) -> str:
    """As :func:`found` for what may be a short name or hub id as well: those are left as they are."""
    return found(name, home) if Path(name).is_absolute() else name


def kept_model(name: str, home: Path) -> str:
    """As :func:`kept` for what may be a short name or hub id as well."""
    return kept(name, home) if Path(name).is_absolute() else name


def _moved(path: Path, home: Path) -> Path | None:
    """The longest end of ``path``, of two names at least, that exists below ``home``."""
    ends = (home.joinpath(*path.parts[start:]) for start in range(1, len(path.parts) - 1))
    return next((end for end in ends if end.exists()), None)
