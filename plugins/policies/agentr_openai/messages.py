"""What an answer's message says: text, reasoning beside it, and calls of tools in place of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Kinds of chunks that a model thinks in; all others that have a text say it.
_THINKING = frozenset({"thinking", "reasoning", "reasoning_content", "redacted_thinking"})


@dataclass(frozen=True, slots=True)
class Said:
    """``text`` is what the model answers, None where it answers nothing; ``reasoning`` is no part of it."""

    text: str | None
    reasoning: str


def said_in(message: Mapping[str, Any]) -> Said:
    """Text and reasoning of a message, however the server parts them.

    Calls of tools are written the way models write them that have no field for it, ``<tool_call>{...}</tool_call>``,
    behind the text: it is then the thought.
    """
    content = message.get("content")
    said = [text for kind, text in _chunks(content) if kind not in _THINKING]
    thought = [text for kind, text in _chunks(content) if kind in _THINKING]
    beside = message.get("reasoning_content") or message.get("reasoning")
    calls = list(_calls(message))
    text = "".join(said)
    if calls:
        text = "\n".join([*([text.rstrip()] if text.strip() else []), *calls])
    elif not text and isinstance(message.get("refusal"), str):
        text = message["refusal"]
    answered = bool(text) or content is not None
    return Said(text if answered else None, "".join([*thought, *_texts(beside)]))


def _chunks(content: Any) -> Iterator[tuple[str, str]]:
    """The kind and the text of each part of a content, which may be one text."""
    for chunk in content if isinstance(content, list) else [content]:
        if isinstance(chunk, str):
            yield "text", chunk
        elif isinstance(chunk, Mapping):
            kind = str(chunk.get("type") or "text")
            inner = chunk.get("text")
            yield kind, "".join(_texts(chunk.get(kind) if inner is None else inner))


def _texts(value: Any) -> Iterator[str]:
    """All text in ``value``: a text, a list of chunks, or a chunk."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, Mapping):
        yield from _texts(value.get("text", value.get("value")))


def _calls(message: Mapping[str, Any]) -> Iterator[str]:
    given = message.get("tool_calls")
    calls = [call.get("function") for call in given if isinstance(call, Mapping)] if isinstance(given, list) else []
    for call in calls or [message.get("function_call")]:
        if isinstance(call, Mapping) and call.get("name"):
            made = {"name": str(call["name"]), "arguments": _arguments(call.get("arguments"))}
            yield f"<tool_call>{json.dumps(made, ensure_ascii=False)}</tool_call>"


def _arguments(given: Any) -> Any:
    """The arguments of a call, which mostly come as JSON in a text; that text where it is no JSON."""
    if not isinstance(given, str):
        return given or {}
    try:
        return json.loads(given) if given.strip() else {}
    except ValueError:
        return given
