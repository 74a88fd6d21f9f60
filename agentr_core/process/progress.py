"""What a run tells while it works: a bar for each stage on a terminal, a plain line now and then elsewhere.

All of it goes to stderr; stdout is for data.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

PLAIN_INTERVAL_SECONDS = 30.0


@dataclass(slots=True)
class StageProgress:
    """One stage's bar. ``total`` in ``unit``; ``note`` is the text at its right end."""

    label: str
    total: int
    unit: str
    done: int = 0
    note: str = ""
    _draw: Any = None
    _started: float = field(default_factory=time.monotonic)
    _last_line: float = field(default_factory=time.monotonic)

    def advance(self, count: int = 1, note: str | None = None) -> None:
        """Move the bar by ``count`` and change the note."""
        self.done += count
        if note is not None:
            self.note = note
        if self._draw is not None:
            self._draw(self)

    @property
    def seconds(self) -> float:
        """Time since the stage began."""
        return time.monotonic() - self._started


class Progress:
    """Reports a run's stages. ``quiet`` says nothing at all (for use as a library)."""

    def __init__(self, *, quiet: bool = False, stream: TextIO | None = None) -> None:
        self.quiet = quiet
        self.stream = stream if stream is not None else sys.stderr
        self.fancy = not quiet and self.stream.isatty() and not os.environ.get("CI")

    def say(self, text: str = "") -> None:
        """One line of talk."""
        if not self.quiet:
            print(text, file=self.stream, flush=True)

    @contextmanager
    def stage(self, label: str, total: int, unit: str) -> Iterator[StageProgress]:
        """A stage of ``total`` ``unit``; its last note stays on the screen."""
        if self.quiet:
            yield StageProgress(label, total, unit)
        elif self.fancy:
            with self._bar(label, total, unit) as bar:
                yield bar
        else:
            yield from self._lines(label, total, unit)

    def _lines(self, label: str, total: int, unit: str) -> Iterator[StageProgress]:
        def draw(stage: StageProgress) -> None:
            now = time.monotonic()
            if now - stage._last_line >= PLAIN_INTERVAL_SECONDS:
                stage._last_line = now
                self.say(_line(stage))

        stage = StageProgress(label, total, unit, _draw=draw)
        yield stage
        self.say(_line(stage))

    @contextmanager
    def _bar(self, label: str, total: int, unit: str) -> Iterator[StageProgress]:
        from rich.console import Console
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        columns = (
            TextColumn("{task.description}"),
            TextColumn("{task.total:>6} {task.fields[unit]:<6}"),
            BarColumn(bar_width=12),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
        )
        # The bar goes when the stage ends and leaves its line, which a narrow terminal wraps but does not cut.
        with Bars(*columns, console=Console(file=self.stream), transient=True) as bars:
            bar = bars.add_task(f"{label:<21}", total=total, unit=unit, note="")

            def draw(stage: StageProgress) -> None:
                bars.update(bar, completed=stage.done, note=stage.note)

            stage = StageProgress(label, total, unit, _draw=draw)
            yield stage
        self.say(_line(stage))


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _line(stage: StageProgress) -> str:
    share = f"{100 * stage.done // stage.total:3}%" if stage.total else "100%"
    return (
        f"{stage.label:<21} {stage.total:>6} {stage.unit:<6} {share} {clock(stage.seconds):>6}   {stage.note}".rstrip()
    )
