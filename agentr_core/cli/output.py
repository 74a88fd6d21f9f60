"""How commands print: data on stdout as aligned text or JSON, talk on stderr."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from agentr_core.cli.tables import blocks
from agentr_core.process.terminal import columns, visible


def print_json(value: Any) -> None:
    """One JSON document."""
    echo_json(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def echo_json(text: str) -> None:
    """Print JSON so that nothing of it is lost or obeyed: letters that stdout's encoding does not have, and hidden ones
    (:func:`~agentr_core.process.terminal.visible`), are written as ``\\uXXXX``."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text)
    if visible(text) != text:
        text = "".join(letter if visible(letter) == letter else json.dumps(letter)[1:-1] for letter in text)
    click.echo(text)


def print_table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Rows as :func:`table_lines`."""
    for line in table_lines(headers, rows):
        click.echo(line)


def table_lines(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Aligned columns, as wide as they are in a pipe; on a terminal, those without room follow in another block.

    None is shown as ``-``. No word is ever broken (:mod:`agentr_core.cli.tables`).
    """
    for number, block in enumerate(blocks(headers, rows, columns(sys.stdout))):
        if number:
            yield ""
        yield from map(heading, block.heading)
        yield from block.lines


def print_listing(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Many rows, each told once: columns without room on the terminal are left out, and named on stderr."""
    first, *rest = blocks(headers, rows, columns(sys.stdout))
    for line in (*map(heading, first.heading), *first.lines):
        click.echo(line)
    if missing := [headers[at] for block in rest for at in block.columns[1:]]:
        say(f"no room for: {', '.join(missing)} (--json has all)")


def print_page(lines: Iterable[str]) -> None:
    """Lines to read from their beginning: more than the terminal has go through the user's pager, as in ``git log``.

    The pager is ``PAGER``, else ``less``; ``PAGER=`` and ``PAGER=cat`` are none. A pipe gets the lines as they are.
    """
    shown = list(lines)
    if not _is_paged(len(shown)):
        for line in shown:
            click.echo(line)
        return
    os.environ.setdefault("LESS", "-FRX")  # colours, and what was read stays on the screen
    click.echo_via_pager("\n".join(shown))


def _is_paged(count: int) -> bool:
    pager = shlex.split(os.environ.get("PAGER", "less"))
    if not pager or pager[0] == "cat" or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return count >= os.get_terminal_size(sys.stdout.fileno()).lines and shutil.which(pager[0]) is not None


def heading(text: str) -> str:
    """A line that the ones below it belong to."""
    return click.style(visible(text), bold=True)


def say(text: str) -> None:
    """A line of talk. It is never folded: what people copy from it must stay one line."""
    click.echo(visible(text), err=True)
