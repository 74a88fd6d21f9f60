"""What a command that looks at a store answers with: many rows, one of them, or a file of them.

:func:`lists`, :func:`shows` and :func:`exports` declare such a command: they add the options that belong to the answer,
call the command with the store and the options of its own, and print what it returns. A command that needs no store
prints its answer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass
from functools import wraps
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import echo_json, print_json, print_listing, print_page, say
from agentr_core.cli.reading import limit_option, output_option, reading
from agentr_core.errors import NothingToDo

if TYPE_CHECKING:
    from agentr_core.store import Store

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """Many rows, each as cells under ``headers`` and as a JSON object; ``empty`` is said where there are none, ``note``
    (what the figures mean) where there are some.

    ``rows`` may be made while they are printed: no more are made than are asked for, and one.
    """

    headers: Sequence[str]
    rows: Iterable[tuple[Sequence[Any], Mapping[str, Any]]]
    empty: str
    note: str = ""

    def print(self, *, json_: bool, limit: int | None) -> None:
        """Print at most ``limit`` rows; nothing at all is exit code 5."""
        rows = iter(self.rows)
        shown = list(islice(rows, limit))
        if json_:
            print_json([data for _, data in shown])
        elif shown:
            print_listing(self.headers, [cells for cells, _ in shown])
        if not shown:
            raise NothingToDo(self.empty)
        if next(rows, None) is not None:
            left = f"{len(self.rows) - len(shown):,} more" if isinstance(self.rows, Sized) else "more"
            say(f"… and {left} (--limit)")
        if self.note and not json_:
            say(self.note)


@dataclass(frozen=True, slots=True)
class Page:
    """One row: ``data`` as JSON, or ``lines`` to read and a ``note`` about them."""

    data: Mapping[str, Any]
    lines: Iterable[str]
    note: str = ""

    def print(self, *, json_: bool) -> None:
        """Print it; the note is talk."""
        if json_:
            print_json(self.data)
            return
        print_page(self.lines)
        if self.note:
            say(self.note)


@dataclass(frozen=True, slots=True)
class Export:
    """Rows for other programs, one JSON object a line; ``noun`` is what they are."""

    rows: Iterable[Mapping[str, Any]]
    noun: str

    def write(self, output: str | None) -> None:
        """Write to the file ``output``, else to stdout; how many is said on stderr."""
        from agentr_core.train.export import json_line, write_rows

        count = 0
        if output is not None:
            count = write_rows(self.rows, Path(output))
        else:
            for count, row in enumerate(self.rows, 1):  # noqa: B007 - the last number is the count
                echo_json(json_line(row))
        if not count:
            raise NothingToDo(f"there are no {self.noun} to export")
        say(f"{count:,} {self.noun}" + (f" written to {output}" if output else ""))


def with_store(command: Callable[..., T]) -> Callable[..., T]:
    """``--db``: the command gets the project's store, open for reading, as its first argument."""

    @db_option
    @wraps(command)
    def opened(*, db: str, **chosen: Any) -> T:
        with reading(db) as store:
            return command(store, **chosen)

    return opened


def lists(most: int | None = None) -> Callable[[Callable[..., Listing]], Callable[..., None]]:
    """``--limit`` (``most`` rows without it), ``--db`` and ``--json``: the command returns a :class:`Listing`."""

    def declare(command: Callable[..., Listing]) -> Callable[..., None]:
        @limit_option(most)
        @with_store
        @json_option
        @wraps(command)
        def listed(store: Store, *, limit: int | None, json_: bool, **chosen: Any) -> None:
            command(store, **chosen).print(json_=json_, limit=limit)

        return listed

    return declare


def shows(command: Callable[..., Page]) -> Callable[..., None]:
    """``--db`` and ``--json``: the command returns a :class:`Page`."""

    @with_store
    @json_option
    @wraps(command)
    def shown(store: Store, *, json_: bool, **chosen: Any) -> None:
        command(store, **chosen).print(json_=json_)

    return shown


def exports(command: Callable[..., Export]) -> Callable[..., None]:
    """``--output`` and ``--db``: the command returns an :class:`Export`."""

    @output_option
    @with_store
    @wraps(command)
    def exported(store: Store, *, output: str | None, **chosen: Any) -> None:
        command(store, **chosen).write(output)

    return exported
