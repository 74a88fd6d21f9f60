"""Reasoning in what models write, ``<think>…</think>`` here, and the options of templates that are agentr's own.

``template_options`` are values for the chat template, and two that the template never sees:

``reasoning``
    ``strip`` (the default): of earlier turns, the prompt keeps only what follows their reasoning, as the templates of
    reasoning models do. ``keep``: earlier turns stay in the prompt as they were written, so that it only ever grows.
    ``off``: the template's switch is turned off, and no reasoning is trained.
``date``
    The day (``2024-07-26``, the default) that is today for a template that writes the date: a prompt that changes
    overnight is another prompt than the one that was searched with.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, get_args

from agentr_core.errors import UsageError
from agentr_core.interfaces.reasoning_marks import CLOSE, OPEN, TAGS, Marks, tagged

Reasoning = Literal["strip", "keep", "off"]

#: What templates call their switch, with the value that turns reasoning off.
SWITCHES: Mapping[str, Any] = {"enable_thinking": False, "thinking": False}
_DAY = "2024-07-26"
_NAMES = ("%-d", "%-m", "%e", "%d", "%m", "%Y", "%y", "%b", "%B", "%a", "%A", "%j", "%H", "%M", "%S", "%p", "%I")

# Nobody writes these; templates that look for tags do not find them.
_HIDDEN_OPEN, _HIDDEN_CLOSE = "<\ue000think>", "</\ue000think>"


def reasoning_of(options: Mapping[str, Any]) -> tuple[Reasoning, date, dict[str, Any]]:
    """What is kept of reasoning, which day it is, and the options that the template gets.

    Raises :class:`~agentr_core.errors.UsageError` for a value that cannot be.
    """
    rest = dict(options)
    reasoning, day = rest.pop("reasoning", "strip"), rest.pop("date", _DAY)
    if reasoning not in get_args(Reasoning):
        raise UsageError(f"template_options.reasoning: must be 'strip', 'keep' or 'off' (got {reasoning!r})")
    try:
        today = date.fromisoformat(str(day))
    except ValueError:
        raise UsageError(f"template_options.date: must be a day such as {_DAY} (got {day!r})") from None
    return reasoning, today, {**SWITCHES, **rest} if reasoning == "off" else rest


def without_reasoning(content: str) -> str:
    """What a turn says after its reasoning, however that is marked; nothing where it was never closed."""
    text = tagged(content)
    if CLOSE in text:
        return text.rpartition(CLOSE)[2].lstrip("\n")
    return "" if text.lstrip().startswith(OPEN) else text


def hidden(content: str) -> str:
    """A turn whose reasoning no template finds; :func:`shown` brings it back into the text that was rendered."""
    return content.replace(OPEN, _HIDDEN_OPEN).replace(CLOSE, _HIDDEN_CLOSE)


def shown(text: str, marks: Marks = TAGS) -> str:
    """Rendered text with the reasoning that was hidden from the template, between ``marks``."""
    return text.replace(_HIDDEN_OPEN, marks.opened).replace(_HIDDEN_CLOSE, marks.closed)


def dated(source: Any, today: date) -> str | None:
    """The template ``source`` with ``today`` for the clock that it reads; None where it reads none."""
    if not isinstance(source, str) or "strftime_now" not in source:
        return None
    replaced = "".join(f" | replace('{name}', '{today.strftime(name)}')" for name in _NAMES)
    # A macro comes before transformers' function of that name. The empty text keeps a template's first line break.
    return f"{{% macro strftime_now(format) %}}{{{{ format{replaced} }}}}{{% endmacro %}}{{{{ '' }}}}{source}"
