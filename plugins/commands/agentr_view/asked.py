"""What a request asks for, checked: nothing of an address reaches the store but numbers, words of a list and values.

Every mistake is a :class:`BadRequest` of one sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from agentr_core import UsageError

#: Rows of a page, unless asked otherwise, and at most.
ROWS, MOST_ROWS = 50, 200
#: The longest text that is looked for.
LONGEST = 200
_NUMBER = re.compile(r"-?[0-9]{1,15}", re.ASCII)


class BadRequest(UsageError):
    """An address that asks for something that cannot be: status 400."""


class Asked:
    """The path and parameters of one request. One that no page reads is a mistake, and so is one given twice."""

    def __init__(self, request: Request) -> None:
        self._path = request.path_params
        self._given: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            if name in self._given:
                raise BadRequest(f"the parameter '{name[:40]}' is given twice; give it once")
            self._given[name] = value

    def check_all_read(self) -> None:
        """Raise for parameters that nobody has asked for so far."""
        for name in self._given:
            raise BadRequest(f"there is no parameter '{name[:40]}' here")

    def path_text(self, name: str) -> str:
        """A part of the path."""
        return str(self._path[name])

    def path_number(self, name: str) -> int:
        """A part of the path that is a number."""
        return _number(name, str(self._path[name]))

    def text(self, name: str) -> str:
        """A text; empty where none is given."""
        value = self._given.pop(name, "")
        if len(value) > LONGEST:
            raise BadRequest(f"{name}: at most {LONGEST} characters, not {len(value):,}")
        return value

    def number(self, name: str) -> int | None:
        """A whole number; None where none is given."""
        value = self._given.pop(name, "")
        return _number(name, value) if value else None

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        """One of ``choices``; None where none is given."""
        value = self._given.pop(name, "")
        if value and value not in choices:
            raise BadRequest(f"{name}: one of {', '.join(choices)}, not '{value[:40]}'")
        return value or None

    def truth(self, name: str) -> bool | None:
        """``1`` or ``true``, ``0`` or ``false``; None where none is given."""
        value = self.choice(name, ("1", "true", "0", "false"))
        return None if value is None else value in ("1", "true")

    def limit(self) -> int:
        """How many rows to answer with."""
        limit = self.number("limit")
        if limit is not None and not 1 <= limit <= MOST_ROWS:
            raise BadRequest(f"limit: a number from 1 to {MOST_ROWS}, not {limit}")
        return limit or ROWS

    def cursor(self, *kinds: type) -> Any:
        """Where the page begins: the ``next`` of the one before, of values of these types; None for the first page."""
        value = self._given.pop("cursor", "")
        if not value:
            return None
        try:
            key = json.loads(value)
        except ValueError:
            key = None
        if not isinstance(key, list) or len(key) != len(kinds) or not all(map(_is, key, kinds)):
            raise BadRequest("cursor: must be the 'next' of the page before")
        return tuple(key)


def _is(value: object, kind: type) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind) and not isinstance(value, bool)


def _number(name: str, value: str) -> int:
    if not _NUMBER.fullmatch(value):
        raise BadRequest(f"{name}: a whole number, not '{value[:40]}'")
    return int(value)
