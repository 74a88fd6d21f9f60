"""What an agent's turn says and does: the action in its text (ReAct: ``Thought: ... Action: ...``), and its step.

One rule for search, evaluation and the replay of splices. An environment with an answer format of its own overrides
:meth:`agentr_core.interfaces.environment.Environment.parse`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeGuard

from agentr_core.records import Step, StepResult

#: The action of a revision signal. It never reaches the environment (method choice 7): it is answered with
#: :data:`REVISION_REPLY` and costs no environment step.
REVISION_ACTION = "revise"
REVISION_REPLY = "ok."
#: The paper's spelling; ScienceWorld has an action of the same name, so it is a preset and not the default.
PAPER_REVISION_ACTION = "wait"

MAX_ACTION_CHARS = 2_000
TWO_ACTIONS = "Error: Only one 'Action' is allowed per response. Please adjust your response."
NO_ACTION = "Error: No action found. Answer with 'Thought: ...' and then 'Action: ...'."
EMPTY_ACTION = "Error: The action is empty. Answer with 'Thought: ...' and then 'Action: ...'."

_ACTION = re.compile(r"Action(?:\s*\d+)?\s*:", re.IGNORECASE)
_THOUGHT = re.compile(r"Thought(?:\s*\d+)?\s*:", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class ParsedAction:
    """The action of an agent's turn, or the ``error`` that the agent is shown in place of an observation."""

    action: str | None
    thought: str = ""
    error: str | None = None


def parse_response(response: str) -> ParsedAction:
    """Take the action out of an agent's turn.

    The action is the first line after ``Action:``; a turn without that word is an action as a whole if it is a single
    line. No action, two actions, or one longer than 2,000 characters is an error text for the agent, never an
    exception: a model may answer anything.
    """
    text = _CONTROL.sub(" ", response).strip()
    parts = _ACTION.split(text)
    if len(parts) > 2:
        return ParsedAction(None, error=TWO_ACTIONS)
    thought = _THOUGHT.sub("", parts[0], count=1).strip() if len(parts) == 2 else ""
    body = parts[-1].strip()
    if len(parts) == 1 and ("\n" in body or _THOUGHT.match(body)):
        return ParsedAction(None, error=NO_ACTION)
    action = body.split("\n", 1)[0].strip()
    if not action:
        return ParsedAction(None, thought, EMPTY_ACTION)
    if len(action) > MAX_ACTION_CHARS:
        return ParsedAction(None, thought, f"Error: The action is longer than {MAX_ACTION_CHARS} characters.")
    return ParsedAction(action, thought)


def is_revision(action: str | None, revision_action: str = REVISION_ACTION) -> bool:
    """True for the action of a revision signal."""
    return action is not None and action.strip().lower() == revision_action


def reaches_environment(action: str | None, revision_action: str = REVISION_ACTION) -> TypeGuard[str]:
    """True for an action that the environment is asked to do: there is one, and it is not that of a revision signal."""
    return action is not None and not is_revision(action, revision_action)


def step_of(response: str, parsed: ParsedAction, result: StepResult | None, *, reward: float, score: float) -> Step:
    """The step that an agent's turn comes to.

    ``result`` is what the environment answered, None where it was not asked (:func:`reaches_environment`). A turn
    without an action is then answered with what was wrong with it, a revision signal with :data:`REVISION_REPLY`
    (method choice 7), and ``reward`` and ``score`` stay what they were before.
    """
    if result is None:
        reply = REVISION_REPLY if parsed.action is not None else parsed.error or ""
        return Step(response, parsed.action, reply, reward=reward, score=score, invalid=parsed.action is None)
    return Step(
        response=response,
        action=parsed.action,
        observation=result.observation,
        reward=result.reward,
        score=result.score,
        terminated=result.terminated,
        truncated=result.truncated,
        invalid=bool(result.info.get("invalid", False)),
    )
