"""General conversations out of files, in the forms that people have them in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentr_core.errors import UsageError
from agentr_core.hashing import content_hash
from agentr_core.records import Example, Message, Role, TrainingSet

if TYPE_CHECKING:
    pass


_ROLES: dict[str, Role] = {
    "human": "user",
    "gpt": "assistant",
    "user": "user",
    "assistant": "assistant",
    "system": "system",
}


def read_dataset(path: Path) -> TrainingSet:
    """The conversations of a file as a training set in the order of the file; see :func:`read_conversations`."""
    examples = tuple(Example(messages, "general", {"file": str(path)}) for messages in read_conversations(path))
    return TrainingSet(path.stem, examples, content_hash([example.content() for example in examples]))


def read_conversations(path: Path) -> Iterator[tuple[Message, ...]]:
    """Conversations of a file: one JSON object a line, or one JSON array of them.

    An object is ``{"messages": [{"role", "content"}, ...]}`` or ShareGPT's ``{"conversations": [{"from", "value"},
    ...]}``. Assistant turns are trained unless a flag ``train`` of theirs says otherwise; one that says nothing is not.
    Raises :class:`~agentr_core.errors.UsageError` with the line or entry that is wrong.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"'{path}' cannot be read: {error}") from None
    if text.lstrip().startswith("["):
        for number, entry in enumerate(_parsed(text, f"'{path}'"), 1):
            yield _conversation(entry, f"entry {number} of '{path}'")
        return
    # Not splitlines: it also splits at characters that JSON leaves as they are.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            where = f"line {number} of '{path}'"
            yield _conversation(_parsed(line, where), where)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UsageError(f"{where} is not JSON: {error}") from None


def _conversation(value: Any, where: str) -> tuple[Message, ...]:
    try:
        turns = value["messages"] if "messages" in value else value["conversations"]
        messages = tuple(_message(turn) for turn in turns)
    except (KeyError, TypeError, AttributeError):
        raise UsageError(f'{where} is no conversation; write {{"messages": [{{"role": …, "content": …}}]}}') from None
    if not any(message.train for message in messages):
        raise UsageError(f"{where} has no assistant turn to train on")
    return messages


def _message(turn: Mapping[str, Any]) -> Message:
    role = _ROLES[turn["role"] if "role" in turn else turn["from"]]
    text = turn["content"] if "content" in turn else turn["value"]
    if not isinstance(text, str):
        raise TypeError
    return Message(role, text, role == "assistant" and bool(text.strip()) and bool(turn.get("train", True)))
