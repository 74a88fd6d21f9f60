"""General conversations out of files, in the forms that people have them in.

One conversation that cannot be used is skipped and counted by its reason; only a file with none left is an error.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentr_core.errors import UsageError
from agentr_core.hashing import content_hash
from agentr_core.train.conversation_shapes import Unusable, besides_turns, read_conversation
from agentr_core.turns import Example, Message, TrainingSet

logger = logging.getLogger("agentr.data")

#: So many reasons are said; a file of ten thousand odd roles would else fill the screen.
_SHOWN = 5
_FORM = '{"messages": [{"role": …, "content": …}]}, one a line'
_NOT_JSON = "not JSON"
_ENCODINGS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True, slots=True)
class ReadConversations:
    """What a file holds: conversations with their places in it, and how many were skipped or changed, by reason.

    ``places`` are numbers of lines (or of entries of a JSON array) from 1; ``first`` is the place of the first one of
    each reason. ``besides``: what the object of each conversation holds besides its turns.
    """

    conversations: tuple[tuple[Message, ...], ...]
    places: tuple[int, ...]
    skipped: Mapping[str, int]
    changed: Mapping[str, int]
    first: Mapping[str, int]
    unit: str = "line"
    besides: tuple[Mapping[str, Any], ...] = ()

    @property
    def total(self) -> int:
        """All conversations of the file, those that were skipped too."""
        return len(self.conversations) + sum(self.skipped.values())

    def describe(self) -> str:
        """``3 of 26 skipped (2 empty, the first in line 4; 1 unknown role 'wizard', line 9), 1 with joined turns``.

        Empty where nothing was skipped or changed.
        """
        parts = []
        if self.skipped:
            parts.append(f"{sum(self.skipped.values()):,} of {self.total:,} skipped ({'; '.join(self._reasons())})")
        parts += [f"{count:,} {what}" for what, count in sorted(self.changed.items())]
        return ", ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON."""
        counts = {"skipped": dict(self.skipped), "changed": dict(self.changed)}
        return {"read": len(self.conversations), "of": self.total, **counts}

    def _reasons(self) -> Iterator[str]:
        common = sorted(self.skipped, key=lambda reason: (-self.skipped[reason], self.first[reason]))
        for reason in common[:_SHOWN]:
            several = "the first in " if self.skipped[reason] > 1 else ""
            yield f"{self.skipped[reason]:,} {reason}, {several}{self.unit} {self.first[reason]}"
        if rest := sum(self.skipped[reason] for reason in common[_SHOWN:]):
            yield f"{rest:,} for other reasons"


def read_dataset(path: str | Path, *, say: Callable[[str], None] | None = None) -> TrainingSet:
    """The conversations of a file as a training set in the order of the file; see :func:`read_conversations`.

    What was skipped or changed is told to ``say`` in one line, by default to the log (as a warning).
    """
    read = read_conversations(path)
    if told := read.describe():
        (say or logger.warning)(f"'{path}': {told}")
    examples = tuple(
        Example(messages, "general", {"file": str(path), read.unit: place})
        for messages, place in zip(read.conversations, read.places, strict=True)
    )
    return TrainingSet(Path(path).stem, examples, content_hash([example.content() for example in examples]))


def read_conversations(path: str | Path) -> ReadConversations:
    """Conversations of a file: one JSON object a line, or one JSON array of them; packed with gzip or not.

    An object is ``{"messages": [{"role", "content"}, ...]}`` or ShareGPT's ``{"conversations": [{"from", "value"},
    ...]}``. Assistant turns are trained unless a flag of theirs (``train``, ``loss`` or ``weight``) says otherwise; one
    that says nothing is not. Raises :class:`~agentr_core.errors.UsageError` for a file that cannot be read, is not
    JSON, or holds nothing that can be used.
    """
    text = _file_text(Path(path).expanduser())
    entries, unit = _entries(text, path)
    found: list[tuple[int, tuple[Message, ...], dict[str, Any]]] = []
    skipped, changed, first = Counter[str](), Counter[str](), dict[str, int]()
    for place, entry in entries:
        try:
            value = _value(entry)
            messages, changes = read_conversation(value)
        except Unusable as unusable:
            skipped[str(unusable)] += 1
            first.setdefault(str(unusable), place)
        else:
            found.append((place, messages, besides_turns(value)))
            changed.update(changes)
    places, conversations, besides = zip(*found, strict=True) if found else ((), (), ())
    read = ReadConversations(conversations, places, dict(skipped), dict(changed), first, unit, besides)
    _check_some_left(read, text, path)
    return read


def _file_text(path: Path) -> str:
    try:
        data = path.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        return data.decode(_ENCODINGS.get(data[:2], "utf-8-sig"))
    except UnicodeDecodeError:
        raise UsageError(f"'{path}' is not text in UTF-8; write {_FORM}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _entries(text: str, path: str | Path) -> tuple[Iterator[tuple[int, Any]], str]:
    """What may be a conversation with its place: lines of text, or values of a JSON array."""
    whole = _whole(text) if text.lstrip()[:1] in ("[", "{") else None
    if isinstance(whole, list):
        return enumerate(whole, 1), "entry"
    if whole is not None:
        return iter([(1, whole)]), "entry"
    if text.lstrip().startswith("["):
        raise UsageError(f"'{path}' is not JSON: {_fault(text)}")
    # Not splitlines: it also splits at characters that JSON leaves as they are.
    lines = enumerate(text.split("\n"), 1)
    return ((place, line) for place, line in lines if line.strip()), "line"


def _whole(text: str) -> Any:
    """A file that is one JSON value: an array, or an object written over several lines; None where it is none."""
    if text.lstrip().startswith("{") and not _fault(text.lstrip().split("\n", 1)[0]):
        return None  # its first line is an object: JSON lines
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _value(entry: Any) -> Any:
    if not isinstance(entry, str):
        return entry
    try:
        return json.loads(entry.lstrip("\ufeff"))  # files that were put one behind the other
    except (ValueError, RecursionError):
        raise Unusable(_NOT_JSON) from None


def _fault(text: str) -> str:
    """What JSON's parser says against a text; empty where nothing."""
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        return str(error)
    return ""


def _check_some_left(read: ReadConversations, text: str, path: str | Path) -> None:
    if read.conversations:
        return
    if not read.total:
        raise UsageError(f"'{path}' holds no conversation; write {_FORM}")
    if read.skipped.get(_NOT_JSON) == read.total:
        place = read.first[_NOT_JSON]
        raise UsageError(f"'{path}' is not JSON: line {place}: {_fault(text.split(chr(10))[place - 1])}; write {_FORM}")
    raise UsageError(f"'{path}' holds no conversation that can be trained on: {read.describe()}; write {_FORM}")
