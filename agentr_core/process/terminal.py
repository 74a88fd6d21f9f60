"""How wide the place is that people read in."""

from __future__ import annotations

import os
import sys
from typing import TextIO


def columns(stream: TextIO) -> int | None:
    """The columns of ``COLUMNS`` where it is set, else of the terminal behind ``stream``; None where there is none."""
    wished = os.environ.get("COLUMNS", "")
    if wished.isdecimal() and int(wished):
        return int(wished)
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError, AttributeError):  # a pipe, a closed stream, a stream without a file
        return None


def screen_columns(default: int) -> int:
    """The columns of the terminal that a person sits at, whichever stream leads to it: ``agentr … | less`` has one."""
    found = (columns(stream) for stream in (sys.stdout, sys.stderr, sys.stdin))
    return next((width for width in found if width), default)
