"""AgentGym's way to take the action out of a turn, where its client of TextCraft has a rule of its own."""

from __future__ import annotations

import re

from agentr_core import ParsedAction, printable, published_action

#: AgentGym's answer to a turn with two actions.
TWO_ACTIONS = "Error: Only one 'Action' is allowed per response. Please adjust your response."

_LABEL = re.compile(r"Action:\s*")
_DROPPED = re.compile(r"[^A-Za-z0-9, ]")


def parse_as_agentgym(response: str) -> ParsedAction:
    """AgentGym's client of TextCraft: what follows ``Action:`` up to the line's end, in plain letters.

    All but letters, digits, commas and blanks is dropped, so that emphasis, quotes and a full stop do no harm. A turn
    without the label has the empty action, one with two has none.
    """
    thought, *bodies = _LABEL.split(printable(response))
    if len(bodies) > 1:
        return ParsedAction(None, error=TWO_ACTIONS)
    line = bodies[0].split("\n", 1)[0] if bodies else ""
    return published_action(_DROPPED.sub("", line), thought)
