"""How the action is taken out of an agent's turn, one rule a dialect.

``react``: agentr's own rule. ``webshop``: what follows the last ``Action:``, else a bare ``search[..]`` or
``click[..]``; the rule of the environment ``webshop``. ``whole``: the server parses the turn itself. ``sql``: the last
block of SQL.
Whatever the dialect, a revision signal is one, and never reaches the server.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from agentr_agentgym.servers import Dialect
from agentr_core import ParsedAction, is_revision, parse_response

MAX_ACTION_CHARS = 2_000
_TOO_LONG = f"Error: The action is longer than {MAX_ACTION_CHARS} characters."
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_SQL = re.compile(r"```sql(.*?)(?:```|\Z)", re.DOTALL | re.IGNORECASE)


def webshop(response: str) -> ParsedAction:
    """AgentGym's rule for WebShop; a turn that has no action in it is the empty action, which changes nothing."""
    text = _CONTROL.sub(" ", response.strip().removesuffix("</s>")).strip()
    before, marker, body = text.rpartition("Action:")
    bare = not marker and ("search[" in body or "click[" in body or "\n" not in body)
    action = body.strip().split("\n", 1)[0].strip() if marker or bare else ""
    thought = (before if marker or bare else body).replace("Thought:", "", 1).strip()
    return ParsedAction(None, thought, _TOO_LONG) if len(action) > MAX_ACTION_CHARS else ParsedAction(action, thought)


def whole(response: str) -> ParsedAction:
    """The turn as it is, for a server that parses it."""
    parsed = parse_response(response)
    return parsed if is_revision(parsed.action) else ParsedAction(response.strip(), parsed.thought)


def sql(response: str) -> ParsedAction:
    """The last block of SQL; a turn without one is a statement as a whole."""
    blocks = _SQL.findall(response)
    parsed = parse_response(response)
    if is_revision(parsed.action):
        return parsed
    return ParsedAction(blocks[-1].strip() if blocks else parsed.action or response.strip(), parsed.thought)


PARSERS: Mapping[Dialect, Callable[[str], ParsedAction]] = {
    "react": parse_response,
    "webshop": webshop,
    "whole": whole,
    "sql": sql,
}
