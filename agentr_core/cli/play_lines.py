"""What a person types, or a pipe holds: lines, and what a line of play says."""

from __future__ import annotations

import re
import sys
from contextlib import suppress

import click

from agentr_core.errors import UsageError
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.turn_parsing import printable

_LABEL = re.compile(r"\s*(?P<label>thought|action)\s*:\s*", re.IGNORECASE)


class Lines:
    """Lines from a terminal, with a prompt and a history, or from a pipe."""

    def __init__(self) -> None:
        self.at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
        reconfigure = getattr(sys.stdin, "reconfigure", None)  # a test's stream may have none
        if reconfigure is not None:
            reconfigure(errors="replace")
        if self.at_terminal:
            with suppress(ImportError):  # Python may be built without
                import readline  # noqa: F401 - input() then edits lines and remembers them

    def read(self, prompt: str) -> str | None:
        """The next line without its end; None where there are no more."""
        if not self.at_terminal:
            line = sys.stdin.readline()
            return line.rstrip("\r\n") if line else None
        try:
            return input(prompt)
        except EOFError:
            click.echo()
            return None


def thought_alone(line: str) -> str | None:
    """The thought of a line that says one and no action; None for any other line."""
    found = _LABEL.match(line)
    if found is None or found["label"].lower() != "thought" or re.search(r"\baction\s*:", line, re.IGNORECASE):
        return None
    return line[found.end() :].strip()


def turn_of(line: str, thought: str, environment: AnyEnvironment) -> str:
    """A person's line as the turn that a model would have to say for it.

    A bare action gets the format of the instructions, ``Thought: …`` and ``Action: …`` with the ``thought`` given, or
    an empty one; where the environment reads another format, and the line is of it, it stays as it is. Raises
    :class:`~agentr_core.errors.UsageError` for a line that is no turn.
    """
    said = printable(line).strip()
    found = _LABEL.match(said)
    if found and found["label"].lower() == "thought":
        whole = environment.parse(said)
        thought, said = (whole.thought, whole.action) if whole.action is not None else (thought, said)
    elif found:
        said = said[found.end() :]
    framed = f"Thought: {thought}".rstrip() + f"\nAction: {said}"
    parsed = environment.parse(framed)
    if parsed.action is not None:
        return framed
    if environment.parse(line.strip()).action is not None:
        return line.strip()
    raise UsageError(f"that is no turn here, and nothing was played: {parsed.error}")
