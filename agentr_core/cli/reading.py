"""What the commands that look at a store share: opening it, naming its rows, printing and exporting them."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.output import print_json, print_table, say
from agentr_core.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from agentr_core.store import RunRow, Store

_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")

run_argument = click.argument("reference", metavar="RUN", default="last")
limit_option = click.option("-n", "--limit", type=click.IntRange(1), metavar="N", help="At most so many rows.")
iteration_option = click.option("--iteration", type=int, metavar="N", help="Only of this iteration.")
output_option = click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file instead of stdout."
)


@contextmanager
def reading(db: str) -> Iterator[Store]:
    """The project's store, for reading only."""
    from agentr_core.store import open_store

    with open_store(db, read_only=True) as store:
        yield store


def listing(
    headers: Sequence[str],
    rows: Sequence[tuple[Sequence[Any], Mapping[str, Any]]],
    *,
    json_: bool,
    limit: int | None = None,
    empty: str,
    more: str = "",
) -> None:
    """Print rows, each as cells and as a JSON object, at most ``limit``; nothing at all is exit code 5.

    ``more`` says how many are left out, where the rows do not tell.
    """
    shown = rows[:limit]
    if json_:
        print_json([data for _, data in shown])
    elif rows:
        print_table(headers, [cells for cells, _ in shown])
    if not rows:
        raise NothingToDo(empty)
    if len(shown) < len(rows):
        say(f"… and {more or format(len(rows) - len(shown), ',') + ' more'} (--limit)")


def export(rows: Iterable[Mapping[str, Any]], output: str | None, noun: str) -> None:
    """Write one JSON object a line; how many is said on stderr."""
    from agentr_core.train.export import json_line, write_rows

    count = 0
    if output is not None:
        count = write_rows(rows, Path(output))
    else:
        for count, row in enumerate(rows, 1):  # noqa: B007 - the last number is the count
            click.echo(json_line(row))
    if not count:
        raise NothingToDo(f"there are no {noun} to export")
    say(f"{count:,} {noun}" + (f" written to {output}" if output else ""))


def messages_json(messages: Iterable[Any]) -> list[dict[str, Any]]:
    """Turns as JSON."""
    return [{"role": turn.role, "content": turn.content, "train": turn.train} for turn in messages]


def plugin_name(run: RunRow, kind: str) -> str | None:
    """The name of the plugin that a run used for something."""
    chosen = run.config.get(kind)
    return str(chosen["name"]) if isinstance(chosen, dict) and "name" in chosen else None


def clean(text: str) -> str:
    """Text that is safe on a terminal: no control characters but newlines, no broken Unicode."""
    return _CONTROL.sub(" ", text).encode("utf-8", "backslashreplace").decode()


def one_line(text: str, width: int | None = None) -> str:
    """Text on one line, cut to ``width`` characters."""
    flat = " ".join(clean(text).split())
    return flat if width is None or len(flat) <= width else flat[: max(0, width - 1)] + "…"


def screen_width() -> int:
    """Columns of the terminal; 120 where the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 120


def when(time: str | None) -> str | None:
    """A stored time on the clock of this place."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M") if time else None


def took(start: str | None, end: str | None) -> str | None:
    """The time between two stored times."""
    if not start or not end:
        return None
    from agentr_core.process.progress import clock

    return clock((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())


def percent(share: float | None) -> str | None:
    """A share in percent."""
    return None if share is None else f"{100 * share:.1f}%"


def number(text: str, noun: str) -> int:
    """An id that the user typed."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"'{text}' is no number of a {noun}; list them with: agentr {noun}s list") from None
