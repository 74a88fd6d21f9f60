"""How the program was called, so that what it tells people to type works in their shell."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

NAME = "agentr"


def called_as() -> str:
    """``agentr`` where the shell finds it, else the way this program was started: ``.venv/bin/agentr``.

    ``make run`` installs into a folder that no shell looks in.
    """
    script = Path(sys.argv[0])
    found = shutil.which(NAME)
    if script.stem != NAME:  # python -m agentr_core, or a program that uses it
        return NAME if found else f"{_from_here(Path(sys.executable))} -m agentr_core"
    if found and Path(found).absolute() == Path(shutil.which(script) or script).absolute():
        return NAME
    return _from_here(script)


def typed(command: str) -> str:
    """A command of agentr, written as ``agentr …``, as it is to be typed here."""
    return command.replace(f"{NAME} ", f"{called_as()} ")


def hint(said: str) -> str:
    """A line for a message that names commands of agentr, where these are typed in another way; else nothing."""
    here = called_as()
    return f"(agentr is {here} here)" if f"{NAME} " in said and here != NAME else ""


def _from_here(path: Path) -> str:
    """A path as short as it can be typed: from the working directory on where it is below it."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path.absolute())
