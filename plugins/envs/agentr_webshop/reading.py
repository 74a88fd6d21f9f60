"""Reading data files: arrays of any size one element at a time, and one clear sentence for what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentr_core import UsageError

_CHUNK = 1 << 20
#: No product is as long as this; an element that still has no end is not JSON.
_LONGEST = 1 << 26
_AGAIN = "fetch it again (agentr data get webshop) or correct it"


def read_json(path: Path) -> Any:
    """The JSON document in ``path``; UsageError where it cannot be read, is cut off or is no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror or error}") from None
    except ValueError as error:
        raise broken(path, str(error)) from None


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in ``path``; UsageError for anything else."""
    value = read_json(path)
    if not isinstance(value, dict):
        raise foreign(path, "a JSON object that maps ASINs to entries")
    return value


def read_array(path: Path) -> Iterator[Any]:
    """The elements of the JSON array in ``path``, read as they are asked for: the full product file has 5.2 GB.

    UsageError where the file cannot be read, is no array, or ends or breaks off inside an element.
    """
    decoder = json.JSONDecoder()
    try:
        with path.open(encoding="utf-8") as file:
            rest, at = file.read(_CHUNK), 0
            if not rest.lstrip("\ufeff \t\r\n").startswith("["):
                raise foreign(path, "a JSON array of products")
            at = rest.index("[") + 1
            while True:
                at = _next(rest, at)
                if rest[at : at + 1] == "]":
                    return
                try:
                    value, at = decoder.raw_decode(rest, at)
                except ValueError as error:
                    # Either the element goes on in the next chunk or it is broken: more text will tell.
                    more = file.read(max(_CHUNK, len(rest) - at)) if len(rest) - at < _LONGEST else ""
                    if not more:
                        raise broken(path, str(error)) from None
                    rest, at = rest[at:] + more, 0
                else:
                    yield value
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise broken(path, f"not UTF-8 text: {error.reason}") from None


def read_lines(path: Path) -> Iterator[Any]:
    """The JSON documents in ``path``, one a line; UsageError names the line that cannot be read."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except ValueError as error:
                        raise broken(path, f"line {number}: {error}") from None
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise broken(path, f"not UTF-8 text: {error.reason}") from None


def broken(path: Path, why: str) -> UsageError:
    """The sentence for a file that is cut off or is no JSON."""
    return UsageError(f"'{path}' is cut off or is no JSON ({why}); {_AGAIN}")


def foreign(path: Path, expected: str) -> UsageError:
    """The sentence for JSON that is something else than was expected."""
    return UsageError(f"'{path}' is not a WebShop file: expected {expected}")


def _next(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\n", "\r", "\t", ","):
        at += 1
    return at
