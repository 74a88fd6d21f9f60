"""How commands print: data on stdout as aligned text or JSON, talk on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from agentr_core.cli.tables import blocks
from agentr_core.process.terminal import columns


def print_json(value: Any) -> None:
    """One JSON document."""
    echo_json(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def echo_json(text: str) -> None:
    """Print JSON so that nothing of it is lost: what stdout's encoding does not have is written as ``\\uXXXX``."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text)
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


def heading(text: str) -> str:
    """A line that the ones below it belong to."""
    return click.style(text, bold=True)


def say(text: str) -> None:
    """A line of talk. It is never folded: what people copy from it must stay one line."""
    click.echo(text, err=True)


def to_toml(tables: Mapping[str, Any], comments: Mapping[str, str] | None = None) -> str:
    """Settings as TOML, with a comment behind the dotted keys that have one; None is written as a comment alone."""
    comments = comments or {}
    plain = {key: value for key, value in tables.items() if not isinstance(value, Mapping)}
    lines = [_assignment(key, value, comments.get(key)) for key, value in plain.items()]
    for table, values in tables.items():
        if isinstance(values, Mapping):
            lines += ["", f"[{_key(table)}]"]
            lines += [_assignment(key, value, comments.get(f"{table}.{key}")) for key, value in values.items()]
    return "\n".join(lines).strip() + os.linesep


def _assignment(key: str, value: Any, comment: str | None) -> str:
    text = f"# {_key(key)} is not set" if value is None else f"{_key(key)} = {_value(value)}"
    return f"{text:<40} # {comment}" if comment else text


def _key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = (f"{_key(key)} = {_value(below)}" for key, below in value.items() if below is not None)
        return "{ " + ", ".join(inside) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(below) for below in value) + "]"
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
