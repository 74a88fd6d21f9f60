"""The action grammar: ``search[words]`` and ``click[text]``."""

from __future__ import annotations

import re
from typing import NamedTuple

from agentr_core import ParsedAction, printable, published_action

_STRICT = re.compile(r"\s*(\w+)\s*\[(.*)\]", re.DOTALL)


class Action(NamedTuple):
    """``name`` as written; ``argument`` lower-cased, None where there are no brackets."""

    name: str
    argument: str | None


def read_original(text: str) -> Action:
    """The original's reading (``parse_action``): ``(.+)\\[(.+)\\]`` from the start, nothing stripped, one line.

    What stands after the last ``]`` of the first line is ignored; an inner ``[`` splits at the last one. Written
    without the expression, which takes minutes over a long text of opening brackets.
    """
    line = text.partition("\n")[0]
    end = line.rfind("]")
    start = line.rfind("[", 0, max(end - 1, 0))
    return Action(line[:start], line[start + 1 : end].lower()) if start > 0 else Action(text, None)


def read_strict(text: str) -> Action:
    """Up to the first ``[`` the name, up to the last ``]`` the argument, both stripped and lower-cased."""
    found = _STRICT.match(text)
    return Action(found[1].lower(), found[2].strip().lower()) if found else Action(text, None)


def parse_turn(response: str) -> ParsedAction:
    """The action of an agent's turn as AgentGym's client takes it: what follows the last ``Action:``.

    A turn without ``Action:`` is an action where it has ``search[`` or ``click[`` in it or is a single line; otherwise
    the action is empty, which the shop answers with the page as it was. Only the action's first line is kept: the
    grammar reads no further.
    """
    before, label, body = printable(response).strip().removesuffix("</s>").strip().rpartition("Action:")
    bare = not label and ("search[" in body or "click[" in body or "\n" not in body)
    action = body.strip().split("\n", 1)[0] if label or bare else ""
    return published_action(action, before if label or bare else body)
