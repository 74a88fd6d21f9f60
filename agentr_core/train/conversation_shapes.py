"""One conversation as people have it in a file, read into turns: OpenAI's ``messages`` and ShareGPT's forms.

What cannot be used is an :class:`Unusable` with its reason in a few words, which :mod:`conversation_files` counts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentr_core.turns import Message, Role

#: What may be said of a conversation that was changed so that it can be used.
JOINED = "with joined turns"
BEGAN_WITH_ANSWER = "without its first answer"
WEIGHED = "with weights other than 0 and 1, trained as 1"

#: The names in use for "this turn carries loss": Axolotl's, that of ms-swift and AgentGym, OpenAI's (a number).
WEIGHT = "weight"
FLAGS = ("train", "loss", WEIGHT)

#: Answers that are calls of functions: what they say is in a form of the file's, not of the model's.
_CALLS = ("function_call", "tool_call")
_ROLES: dict[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("tool", "tool_response", "observation", "function", "function_response", "ipython"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model", "bot", *_CALLS), "assistant"),
}
_TURNS = ("messages", "conversations", "conversation")
_MEDIA = ("image", "video", "audio")


class Unusable(Exception):
    """A conversation that cannot be used; the text is the reason, in a few words."""


def read_conversation(value: Any) -> tuple[tuple[Message, ...], frozenset[str]]:
    """The turns of one conversation, and what was changed in it: :data:`JOINED`, :data:`BEGAN_WITH_ANSWER`,
    :data:`WEIGHED`.

    Observations and results of tools become user turns, as observations of environments are. Calls of functions are
    written as JSON and carry no loss, since their form is not the model's own, unless a flag asks for it. Turns of one
    role in a row become one, with a blank line between, which carries loss where all of them do. Raises
    :class:`Unusable`.
    """
    messages = list(_messages(value))
    if not any(message.content.strip() for message in messages):
        raise Unusable("empty")
    changed = set()
    joined = _joined(messages)
    if len(joined) < len(messages):
        changed.add(JOINED)
    begun = _from_first_question(joined)
    if len(begun) < len(joined):
        changed.add(BEGAN_WITH_ANSWER)
    if any(_role(turn) == "assistant" and _weight(turn) not in (None, 0, 1) for turn in _turns(value)):
        changed.add(WEIGHED)
    _check_turns(begun)
    return tuple(begun), frozenset(changed)


def besides_turns(value: Any) -> dict[str, Any]:
    """What the object of a conversation holds besides its turns: ids, rewards, whatever its file has."""
    return {str(key): found for key, found in value.items() if key not in _TURNS} if isinstance(value, Mapping) else {}


def _turns(value: Any) -> Sequence[Any]:
    turns = next((value[name] for name in _TURNS if name in value), None) if isinstance(value, Mapping) else None
    if not isinstance(turns, Sequence) or isinstance(turns, str):
        raise Unusable("no object with 'messages' or 'conversations'")
    return turns


def _messages(value: Any) -> Iterator[Message]:
    turns = _turns(value)
    for media in _MEDIA:
        if value.get(media) or value.get(f"{media}s"):
            raise Unusable(f"{media} parts")
    read = [_message(turn) for turn in turns]
    above = value.get("system")
    if isinstance(above, str) and above.strip() and read and read[0].role != "system":
        yield Message("system", above)
    yield from read


def _message(turn: Any) -> Message:
    if not isinstance(turn, Mapping):
        raise Unusable("a turn that is no object")
    role, name = _role(turn), _first(turn, "role", "from")
    calls = list(_calls(turn)) if role == "assistant" else []
    if not calls and not {"content", "value"} & set(turn):
        raise Unusable("a turn without content")
    said = "\n".join(part for part in (_text(_first(turn, "content", "value")), *calls) if part)
    if not _is_unicode(said):
        raise Unusable("half a character (no valid Unicode)")
    if role != "assistant" or not said.strip():
        return Message(role, said)
    return Message(role, said, _carries_loss(turn, unless_said=not calls and str(name).strip().lower() not in _CALLS))


def _role(turn: Mapping[str, Any]) -> Role:
    name = _first(turn, "role", "from")
    if name is None:
        raise Unusable("a turn without a role")
    role = _ROLES.get(str(name).strip().lower())
    if role is None:
        raise Unusable(f"unknown role {str(name)[:30]!r}")
    return role


def _first(turn: Mapping[str, Any], *names: str) -> Any:
    return next((turn[name] for name in names if turn.get(name) is not None), None)


def _is_unicode(text: str) -> bool:
    """JSON can hold one half of a surrogate pair, which no tokenizer takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(content: Any) -> str:
    """The text of a turn: a string, parts of text, or nothing."""
    if content is None or isinstance(content, str):
        return content or ""
    if not isinstance(content, Sequence):
        raise Unusable("content that is no text")
    return "\n".join(map(_part, content))


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    kind = str(part.get("type", "text")) if isinstance(part, Mapping) else type(part).__name__
    for media in _MEDIA:
        if media in kind:
            raise Unusable(f"{media} parts")
    if kind not in ("text", "input_text", "output_text") or not isinstance(part.get("text"), str):
        raise Unusable(f"a part of content of type {kind[:30]!r}")
    return str(part["text"])


def _calls(turn: Mapping[str, Any]) -> Iterator[str]:
    """The calls of functions that come beside a turn's content, each as a line of JSON."""
    one, many = turn.get("function_call"), turn.get("tool_calls") or []
    for call in [*([one] if one else []), *(many if isinstance(many, list) else [many])]:
        called = call.get("function", call) if isinstance(call, Mapping) else None
        if not isinstance(called, Mapping) or not isinstance(called.get("name"), str):
            raise Unusable("a call without a function's name")
        arguments = called.get("arguments")
        yield json.dumps({"name": called["name"], "arguments": _parsed(arguments)}, ensure_ascii=False)


def _parsed(arguments: Any) -> Any:
    """OpenAI writes arguments as JSON inside a string."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


def _carries_loss(turn: Mapping[str, Any], *, unless_said: bool) -> bool:
    """What the flags of an assistant's turn say; null says nothing, and any weight but 0 trains."""
    said = set()
    for name in FLAGS:
        value = _weight(turn) if name == WEIGHT else turn.get(name)
        if value is None:
            continue
        if name != WEIGHT and value not in (0, 1):
            raise Unusable(f"the flag '{name}' is neither 0 nor 1")
        said.add(bool(value))
    if len(said) > 1:
        raise Unusable("flags that contradict each other")
    return said.pop() if said else unless_said


def _weight(turn: Mapping[str, Any]) -> float | None:
    """The weight of a turn where it has one; :class:`Unusable` for one that is no finite number of at least 0."""
    value = turn.get(WEIGHT)
    if value is not None and not (isinstance(value, int | float) and 0 <= value < float("inf")):
        raise Unusable(f"the flag '{WEIGHT}' is no number of at least 0")
    return value


def _joined(messages: Sequence[Message]) -> list[Message]:
    """Turns of one role in a row as one: templates that insist on alternation take it. Blank ones add nothing."""
    joined: list[Message] = []
    for message in messages:
        if not joined or joined[-1].role != message.role:
            joined.append(message)
        elif not joined[-1].content.strip():
            joined[-1] = message
        elif message.content.strip():
            before = joined[-1]
            text = f"{before.content}\n\n{message.content}"
            joined[-1] = Message(message.role, text, before.train and message.train)
    return joined


def _from_first_question(messages: Sequence[Message]) -> list[Message]:
    """Without an answer before the first question: there is nothing that it answers, and templates refuse it."""
    head = list(messages[:1]) if messages[0].role == "system" else []
    rest = list(messages[len(head) :])
    return head + (rest[1:] if rest and rest[0].role == "assistant" else rest)


def _check_turns(messages: Sequence[Message]) -> None:
    if any(message.role == "system" for message in messages[1:]):
        raise Unusable("a system turn after the first")
    answers = [message for message in messages if message.role == "assistant" and message.content.strip()]
    if not answers:
        raise Unusable("no answer")
    if not any(message.train for message in answers):
        raise Unusable("no turn to train")
