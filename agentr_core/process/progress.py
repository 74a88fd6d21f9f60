"""What a run tells while it works: a line for each stage that moves on a terminal, a plain line now and then elsewhere.

All of it goes to stderr; stdout is for data. Label, size, share and clock are always there; in a narrow terminal the
text behind them gives way first.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TextIO

from agentr_core.process.terminal import columns, visible

PLAIN_INTERVAL_SECONDS = 30.0
#: How often the line of a terminal is drawn anew, and the text at its right end asked for at the most.
PER_SECOND = 4
#: Seconds between two words at the least to whoever else follows a stage.
HEARD_SECONDS = 2.0
#: The time left is said from here on: earlier, a few units that happened to be short would promise too much.
KNOWN_AFTER_SECONDS = 5.0
KNOWN_AFTER_SHARE = 0.03
BAR = 12
#: What is shown behind the rest must have at least this much room, or is left out.
LEAST_NOTE = 12


@dataclass(slots=True)
class StageProgress:
    """One stage's line. ``total`` in ``unit``; ``note`` is the text at its right end.

    A unit of work that is in flight counts by its share (:meth:`partly`), so that the line moves with every turn that
    is played, and the time left is known before the first of many that run at once has ended.
    """

    label: str
    total: int
    unit: str
    done: int = 0
    note: str = ""
    #: What an earlier run had done: it took no time in this one.
    before: float = 0.0
    now: Callable[[], float] = time.monotonic
    #: Told when the stage has moved, not more often than every :data:`HEARD_SECONDS`.
    heard: Callable[[StageProgress], None] | None = None
    _shares: dict[object, float] = field(default_factory=dict)
    _draw: Callable[[StageProgress], None] | None = None
    _started: float = field(init=False)
    _last_drawn: float = field(init=False)
    _last_heard: float = field(init=False)

    def __post_init__(self) -> None:
        self._started = self._last_drawn = self.now()
        self._last_heard = self._started - HEARD_SECONDS

    def resume(self, count: int, shares: Mapping[object, float] | None = None) -> None:
        """So many were done by an earlier run, and of some others a share."""
        self.done += count
        self._shares.update(shares or {})
        self.before = self.done + sum(self._shares.values())

    def advance(self, count: int = 1, note: str | None = None, *, key: object = None) -> None:
        """So many are done, among them the one that :meth:`partly` knows as ``key``; change the note."""
        self.done += count
        self._shares.pop(key, None)
        if note is not None:
            self.note = note
        if self._draw is not None:
            self._draw(self)
        self._tell()

    def partly(self, key: object, share: float, note: Callable[[], str] | None = None) -> None:
        """The unit ``key`` is done by ``share`` (0 to 1) so far; the note is asked for where it is about to be seen."""
        self._shares[key] = min(max(share, self._shares.get(key, 0.0)), 1.0)
        self._tell()
        if self._draw is None or self.now() - self._last_drawn < 1 / PER_SECOND:
            return
        self._last_drawn = self.now()
        if note is not None:
            self.note = note()
        self._draw(self)

    def _tell(self) -> None:
        if self.heard is not None and self.now() - self._last_heard >= HEARD_SECONDS:
            self._last_heard = self.now()
            self.heard(self)

    @property
    def share(self) -> float:
        """How much of the stage is done, 0 to 1, with what is in flight."""
        return min(1.0, (self.done + sum(self._shares.values())) / self.total) if self.total else 1.0

    @property
    def seconds(self) -> float:
        """Time since the stage began."""
        return self.now() - self._started

    @property
    def seconds_left(self) -> float | None:
        """The time that the rest will take at the pace so far; None while too little is known, and at the end."""
        before = self.before / self.total if self.total else 0.0
        gained = self.share - before
        if self.seconds < KNOWN_AFTER_SECONDS or gained < KNOWN_AFTER_SHARE * (1 - before) or self.done >= self.total:
            return None
        return self.seconds * (1 - self.share) / gained


class Progress:
    """Reports a run's stages. ``quiet`` says nothing at all (for use as a library).

    ``heard`` is told now and then how far the stage at hand is, whatever is said.
    """

    heard: Callable[[StageProgress], None] | None = None

    def __init__(
        self, *, quiet: bool = False, stream: TextIO | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.quiet, self.now = quiet, now
        self.stream = stream if stream is not None else sys.stderr
        self.fancy = not quiet and self.stream.isatty() and not os.environ.get("CI")

    def say(self, text: str = "") -> None:
        """One line of talk."""
        if not self.quiet:
            print(visible(text), file=self.stream, flush=True)

    @contextmanager
    def stage(self, label: str, total: int, unit: str) -> Iterator[StageProgress]:
        """A stage of ``total`` ``unit``; its last note stays on the screen."""
        stage = StageProgress(label, total, unit, now=self.now, heard=self.heard)
        if self.quiet:
            yield stage
            return
        if self.fancy:
            with self._moving_line(stage):
                yield stage
        else:
            stage._draw = self._line_now_and_then()
            yield stage
        for line in last_lines(stage, columns(self.stream) if self.fancy else None):
            self.say(line)

    def _line_now_and_then(self) -> Callable[[StageProgress], None]:
        last = self.now()

        def draw(stage: StageProgress) -> None:
            nonlocal last
            if self.now() - last >= PLAIN_INTERVAL_SECONDS:
                last = self.now()
                self.say(plain_line(stage))

        return draw

    @contextmanager
    def _moving_line(self, stage: StageProgress) -> Iterator[None]:
        """The line, until the stage ends. A thread draws it: its clock goes on whatever the stage does."""
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        console = Console(file=self.stream)
        mark = "#" if console.options.ascii_only else "━"

        def drawn() -> Any:
            left, bar, right = moving_parts(stage, console.width)
            full = round(bar * stage.share)
            styled = (mark * full, "green"), (mark * (bar - full), "dim"), right
            return Text.assemble(left, *styled, no_wrap=True, overflow="crop", end="")

        stage._draw = lambda stage: None  # the thread draws; that there is one lets notes be made
        with Live(get_renderable=drawn, console=console, transient=True, refresh_per_second=PER_SECOND):
            yield


def clock(seconds: float) -> str:
    """Seconds as ``m:ss`` or ``h:mm:ss``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def time_left(left: float | None) -> str:
    """``~1:20 left``, no finer than it can be known: to 5 or 10 seconds, half a minute, five minutes.

    ``left`` in seconds; nothing where it is None.
    """
    if left is None:
        return ""
    step = next(step for below, step in ((30, 5), (120, 10), (1800, 30), (float("inf"), 300)) if left < below)
    return f"~{clock(max(step, round(left / step) * step))} left"


def plain_line(stage: StageProgress) -> str:
    """The stage in one line for a log, however long."""
    return f"{_size(stage)} {_pace(stage)}   {_joined((time_left(stage.seconds_left), stage.note))}".rstrip()


def last_lines(stage: StageProgress, width: int | None) -> Iterator[str]:
    """What stays of a stage: its line, and on a terminal below it the parts of the note that found no room there."""
    line, indent = f"{_size(stage)} {_pace(stage)}   ", " " * 24
    parts = stage.note.split(_DOT) if stage.note else []
    while parts:
        line += parts.pop(0)
        while parts and (width is None or len(line) + len(_DOT) + len(parts[0]) <= width):
            line += _DOT + parts.pop(0)
        yield line
        line = indent
    if not stage.note:
        yield line.rstrip()


def moving_parts(stage: StageProgress, width: int) -> tuple[str, int, str]:
    """The line of a terminal that is ``width`` wide: what stands before the bar, how long that is, and what follows.

    Share and clock stay whatever the width. What is said of the stage gives way first, then the bar, then its size.
    """
    left, right = f"{_size(stage)} ", f" {_pace(stage)}"
    bar = min(BAR, width - len(left) - len(right))
    if bar < 1:
        return f"{stage.label[: max(0, width - len(right))]}", 0, right
    room = width - len(left) - bar - len(right) - 3
    told = _joined((time_left(stage.seconds_left), stage.note))
    while len(told) > room and _DOT in told:
        told = told.rpartition(_DOT)[0]
    if len(told) > room:
        told = f"{told[: room - 1]}…" if room > LEAST_NOTE else ""
    return left, bar, f"{right}   {told}".rstrip()


_DOT = " · "


def _joined(parts: tuple[str, ...]) -> str:
    return _DOT.join(part for part in parts if part)


def _size(stage: StageProgress) -> str:
    return f"{stage.label:<21} {stage.total:>6} {stage.unit:<6}"


def _pace(stage: StageProgress) -> str:
    return f"{int(100 * stage.share):3}% {clock(stage.seconds):>6}"
