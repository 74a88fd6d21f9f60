"""The program's standard streams: encodings without our letters, disks that are full."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def write_what_can_be_written() -> None:
    """Print ``?`` for letters that the terminal's or pipe's encoding does not have (cp1252, gbk), and never fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # a test's stream may have none
        if reconfigure is not None and getattr(stream, "errors", "") in ("strict", "surrogateescape"):
            reconfigure(errors="replace")


def give_up_stdout(error: OSError) -> None:
    """Drop what stdout still holds, where it cannot be written: Python would try again as it ends, and complain."""
    if error.filename is None:
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)


def system_error(error: OSError) -> str:
    """One line for an error of the system."""
    said = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"'{error.filename}': {said}"
    return f"the output could not be written: {said}"
