"""How published code takes the action out of an agent's turn, for scores that are to be compared with theirs.

Both are case-sensitive, look for the label anywhere (in reasoning as well) and take what stands behind it as it is,
with whatever instruct models write around an action. The rule that forgives that is in ``interfaces/turn_parsing.py``.
"""

from __future__ import annotations

import re

from agentr_core.interfaces.turn_parsing import MAX_ACTION_CHARS, ParsedAction, printable

_LABEL, _STOP = "Action:", "</s>"
_NUMBER = re.compile(r"\A\d+\.\s*")


def parse_agentgym(response: str) -> ParsedAction:
    """AgentGym's clients (ReAct): what stands behind the last ``Action:``, without ``</s>``.

    A turn without the label has the empty action, which the environment answers as it answers any other.
    """
    before, label, body = printable(response).strip().removesuffix(_STOP).rpartition(_LABEL)
    return published_action(body if label else "", before if label else body)


def parse_agent_r(response: str) -> ParsedAction:
    """Agent-R's search: what stands behind the last ``Action 1:``, else the last ``Action:``, else in the last line.

    A number before the action (``1. go``) is left out.
    """
    text = printable(response).strip()
    for label in ("Action 1:", _LABEL, "\n"):
        before, found, body = text.rpartition(label)
        if found:
            break
    return published_action(_NUMBER.sub("", body.strip()), before)


def published_action(body: str, thought: str) -> ParsedAction:
    """The action ``body`` without the blanks around it; one above 2,000 characters is an error text for the agent."""
    action, thought = body.strip(), thought.replace("Thought:", "", 1).strip()
    if len(action) > MAX_ACTION_CHARS:
        return ParsedAction(None, thought, f"Error: The action is longer than {MAX_ACTION_CHARS} characters.")
    return ParsedAction(action, thought)
