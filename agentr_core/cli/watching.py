"""A drawing that is drawn anew whenever another process has written to the store."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.store import Store

#: How often the store is asked whether anything has changed: a read of one number.
EVERY_SECONDS = 0.25


def watch(store: Store, draw: Callable[[], Sequence[str]], going: Callable[[], bool]) -> None:
    """Show what ``draw`` gives for as long as something is ``going``, or until Ctrl-C; the last drawing stays.

    :class:`~agentr_core.errors.UsageError` where stdout is no terminal.
    """
    if not sys.stdout.isatty():
        raise UsageError("--watch draws on a terminal, and stdout is none: leave it out to draw the tree once")
    with suppress(KeyboardInterrupt):
        _follow(store, draw, going)
    for line in draw():
        click.echo(line)


def _follow(store: Store, draw: Callable[[], Sequence[str]], going: Callable[[], bool]) -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        seen = None
        while going():
            state = (store.connection.version(), console.size)
            if state != seen:
                seen = state
                lines = _fitting(draw(), console.size.height)
                live.update(Text.from_ansi("\n".join(lines), no_wrap=True, overflow="crop"), refresh=True)
            time.sleep(EVERY_SECONDS)


def _fitting(lines: Sequence[str], height: int) -> Sequence[str]:
    """The lines that the screen has room for, and how many are missing."""
    room = max(1, height - 1)
    return lines if len(lines) <= room else [*lines[: room - 1], f"… {len(lines) - room + 1} more lines"]
