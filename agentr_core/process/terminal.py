"""How wide the place is that people read in, and which text may reach it."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

#: What is not seen, or moves what is: control characters but tab and newline, marks of direction, separators that some
#: programs take for a newline, blanks of no width, tags. What joins letters (U+200C and D) belongs to words and stays.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


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


def visible(text: str) -> str:
    """Text that does nothing but be read: hidden characters and broken Unicode as Python writes them, ``\\x1b``.

    A terminal would obey some of them, and a page show what follows in another order. Newlines and tabs stay.
    """
    shown = _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text.replace("\r\n", "\n"))
    return shown.encode("utf-8", "backslashreplace").decode()


def one_line(text: str, width: int | None = None) -> str:
    """Visible text on one line, cut to ``width`` characters."""
    flat = " ".join(visible(text).split())
    return flat if width is None or len(flat) <= width else flat[: max(0, width - 1)] + "…"
