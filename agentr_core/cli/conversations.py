"""Conversations in the terminal: turn by turn, with what is trained in colour."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence

import click

from agentr_core.cli.reading import clean, screen_width
from agentr_core.turns import Message

_MARGIN = 11


def turns(messages: Sequence[Message], *, labels: Mapping[int, tuple[str, str]] | None = None) -> Iterator[str]:
    """The turns of a conversation, each under its role; ``labels`` are words and colours instead, by turn.

    A trained turn is green and bold, and marked with a bar at the margin, which a pipe keeps.
    """
    for index, message in enumerate(messages):
        word, colour = (labels or {}).get(index, (message.role, ""))
        bar = "┃" if message.train else " "
        for number, line in enumerate(_wrapped(message.content)):
            left = click.style(f"{'' if number else word:>{_MARGIN}} ", fg=colour or None, dim=None if colour else True)
            yield f"{left}{_styled(bar, message)} {_styled(line, message)}".rstrip()


def _wrapped(text: str) -> list[str]:
    """The lines of a turn, wrapped on a terminal and left alone in a pipe."""
    lines = clean(text).splitlines() or [""]
    if not sys.stdout.isatty():
        return lines
    width = max(20, screen_width() - _MARGIN - 3)
    return [part for line in lines for part in textwrap.wrap(line, width) or [""]]


def _styled(text: str, message: Message) -> str:
    if message.train:
        return click.style(text, fg="green", bold=True)
    return click.style(text, dim=None if message.role == "assistant" else True)
