"""What an agent's turn says and does: the action in its text (ReAct: ``Thought: ... Action: ...``), and its step.

One rule for search, evaluation and the replay of splices. An environment with an answer format of its own overrides
:meth:`agentr_core.interfaces.environment.Environment.parse`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeGuard

from agentr_core.interfaces.reasoning_marks import tagged
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
CUT_OFF = "Error: The answer was cut off before its action was complete. Think less and answer in fewer words."
TOOL_CALL = (
    "Error: A tool call must have one argument, the action as text. Answer with 'Thought: ...' and then 'Action: ...'."
)
EMPTY_ACTION = "Error: The action is empty. Answer with 'Thought: ...' and then 'Action: ...'."

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u2028\u2029]")
_INVISIBLE = re.compile("[\u200b-\u200d\u2060\ufeff]")
#: A block of reasoning. The prompt may have opened it, and a cut may have left it open.
_REASONING = re.compile(
    r"<(?P<tag>think|thinking|thought|reasoning)>(?P<inside>.*?)(?:</(?P=tag)>|\Z)", re.DOTALL | re.IGNORECASE
)
_REASONING_END = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
#: What a model writes at the end of its turn where nobody stopped it: ``</s>``, ``<|im_end|>``, ``<end_of_turn>``.
_STOP_TEXT = re.compile(r"(?:</s>|<\|[\w ]{1,30}\|>|<end_of_turn>|<eos>|\[/INST\])\Z")
_CALL = "<tool_call>"
_TAGGED = re.compile(r"<(action|answer)>(.*?)(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
#: Marks of emphasis, headings, quotes and lists around a label. A label is a word at the start of a line: neither
#: ``transaction:`` nor "the next action:" is one.
_LABEL = r"^[ \t>#*_`-]*{word}(?:[ \t]*#?\d+)?[ \t]*[*_`]*[ \t]*[:\uff1a][ \t]*[*_]*[ \t]*"
_ACTION = re.compile(_LABEL.format(word="Action"), re.IGNORECASE | re.MULTILINE)
_THOUGHT = re.compile(_LABEL.format(word="Thought"), re.IGNORECASE | re.MULTILINE)
#: ``Thought: logs. Action: get 1 log`` on one line: the label in the middle is then written as the format has it.
_INLINE_ACTION = re.compile(r"(?<=[\s.!?*])\*{0,2}Action(?:[ \t]*\d+)?:\*{0,2}[ \t]*")
#: The format to the letter, which most turns have: nothing in it needs a second look.
_PLAIN = re.compile(r"Thought: ([ -\"$-)+-;=-Z\\\]^_a-z{|}~]+)\nAction: ([A-Za-z0-9 ,:;.()/-]+)")
_EMPHASIS = re.compile(r"\A(\*\*|\*|__|`|\"|'|\u201c)(.+?)(?:\1|\u201d)\Z")


@dataclass(frozen=True, slots=True)
class ParsedAction:
    """The action of an agent's turn, or the ``error`` that the agent is shown in place of an observation."""

    action: str | None
    thought: str = ""
    error: str | None = None


def parse_response(response: str, *, full_stop: bool = True) -> ParsedAction:
    """Take the action out of an agent's turn.

    The action is the first line after the label ``Action:``; a turn without it is an action as a whole if it is a
    single line. What instruct models write around it does no harm: emphasis, code fences, quotes, ``Thought 1:``, a
    tool call, ``<action>`` tags, stop text at the end. What is inside a block of reasoning is thought, and never
    action. No action, two actions, or one longer than 2,000 characters is an error text for the agent, never an
    exception: a model may answer anything. Without ``full_stop``, one at the action's end is left out.
    """
    plain = _PLAIN.fullmatch(response)
    if (
        plain
        and len(plain[2]) <= MAX_ACTION_CHARS
        and (action := plain[2].strip())
        and (full_stop or action[-1] != ".")
    ):
        return ParsedAction(action, plain[1].strip())
    return _parse_any(response) if full_stop else _without_full_stop(_parse_any(response))


def _parse_any(response: str) -> ParsedAction:
    reasoning, said = split_reasoning(_INVISIBLE.sub("", printable(response).replace("\xa0", " ")))
    text = _without_stop_text(said)
    if reasoning and not text:
        return ParsedAction(None, reasoning, NO_ACTION)
    thought, bodies = _labelled(text)
    if len(bodies) > 1:
        return ParsedAction(None, error=TWO_ACTIONS)
    if not bodies:
        return ParsedAction(None, error=TOOL_CALL if _CALL in text else NO_ACTION)
    return _checked(_plain(bodies[0]), thought or reasoning)


def printable(text: str) -> str:
    """``text`` with a blank in place of each control character."""
    return _CONTROL.sub(" ", text)


def split_reasoning(text: str) -> tuple[str, str]:
    """The reasoning of an answer and what it says besides.

    A block that is never closed was cut off: nothing follows it. A block that is closed and never opened was opened by
    the prompt: all before its end is reasoning. Blocks are marked in any way of ``interfaces/reasoning_marks.py``.
    """
    text = tagged(text)
    inside = [found["inside"].strip() for found in _REASONING.finditer(text)]
    said = _REASONING.sub("", text)
    *before, said = _REASONING_END.split(said)
    return "\n".join(part for part in [*before, *inside] if part.strip()).strip(), said


def _labelled(text: str) -> tuple[str, list[str]]:
    """The thought, and what stands after each label of an action: usually one."""
    before, *calls = text.split(_CALL)
    if found := [action for action in map(_called, calls) if action is not None]:
        return before.strip(), found
    if tags := list(_TAGGED.finditer(text)):
        return _unlabelled(text[: tags[0].start()]), [found[2] for found in tags]
    text = _unfenced(text)
    for label in (_ACTION, _INLINE_ACTION):
        before, *bodies = label.split(text)
        if bodies:
            return _unlabelled(before), bodies
    return "", [] if calls or "\n" in text or _THOUGHT.match(text) else [text]


def _called(call: str) -> str | None:
    """The action of a tool call: its one argument, a text or a number; None where that is not what it has."""
    try:
        value = json.JSONDecoder().raw_decode(call.strip())[0]
        arguments = value.get("arguments", value.get("parameters")) if isinstance(value, dict) else None
        if isinstance(arguments, str) and arguments.lstrip().startswith("{"):  # JSON inside JSON, as OpenAI writes it
            arguments = json.loads(arguments)
    except (ValueError, RecursionError):
        return None
    given = list(arguments.values()) if isinstance(arguments, dict) else [arguments]
    is_action = len(given) == 1 and isinstance(given[0], str | int) and not isinstance(given[0], bool)
    return str(given[0]) if is_action else None


def _without_stop_text(text: str) -> str:
    """Without what a model writes at the end of its turn where nobody stopped it: ``</s>``, ``<|im_end|>``."""
    text = text.strip()
    while found := _STOP_TEXT.search(text, max(0, len(text) - 40)):
        text = text[: found.start()].rstrip()
    return text


def _unfenced(text: str) -> str:
    """What is inside a code fence that begins here, as far as it goes; the text itself where none does."""
    first, _, rest = text.partition("\n")
    return rest.partition("```")[0].strip() if first.startswith("```") and rest else text


def _unlabelled(thought: str) -> str:
    return _THOUGHT.sub("", thought, count=1).strip().strip("*`#").strip()


def _plain(body: str) -> str:
    """The first line of what follows the label, without emphasis, code marks or quotes around it."""
    line = _without_stop_text(_unfenced(body.strip()).split("\n", 1)[0]).removeprefix("> ").strip()
    if line.count("**") % 2:  # the label's own emphasis ends behind the action
        line = line.removesuffix("**")
    while len(line) <= MAX_ACTION_CHARS and (found := _EMPHASIS.fullmatch(line)):
        line = found[2].strip()
    return line


def _checked(action: str, thought: str) -> ParsedAction:
    if not action.strip("*`_ "):
        return ParsedAction(None, thought, EMPTY_ACTION)
    if len(action) > MAX_ACTION_CHARS:
        return ParsedAction(None, thought, f"Error: The action is longer than {MAX_ACTION_CHARS} characters.")
    return ParsedAction(action, thought)


def _without_full_stop(parsed: ParsedAction) -> ParsedAction:
    if parsed.action is None or not parsed.action.endswith("."):
        return parsed
    action = parsed.action.rstrip(". ")
    return replace(parsed, action=action) if action else parsed


def is_revision(action: str | None, revision_action: str = REVISION_ACTION) -> bool:
    """True for the action of a revision signal."""
    return action is not None and action.strip().lower() == revision_action


def reaches_environment(action: str | None, revision_action: str = REVISION_ACTION) -> TypeGuard[str]:
    """True for an action that the environment is asked to do: there is one, and it is not that of a revision signal."""
    return action is not None and not is_revision(action, revision_action)


def whole_lines(response: str) -> str:
    """An answer that was cut off without the line that it broke off in, which may be half of an action."""
    return response.rpartition("\n")[0]


def parse_turn(parse: Callable[[str], ParsedAction], response: str, *, cut_off: bool) -> ParsedAction:
    """The action of a turn by the environment's rule; of one that was cut off only where its line is complete."""
    if not cut_off:
        return parse(response)
    lines = whole_lines(response)
    parsed = parse(lines) if _ACTION.search(lines) else ParsedAction(None)
    return parsed if parsed.action is not None else ParsedAction(None, parsed.thought, CUT_OFF)


def step_of(
    response: str,
    parsed: ParsedAction,
    result: StepResult | None,
    *,
    reward: float,
    score: float,
    cut_off: bool = False,
) -> Step:
    """The step that an agent's turn comes to.

    ``result`` is what the environment answered, None where it was not asked (:func:`reaches_environment`). A turn
    without an action is then answered with what was wrong with it, a revision signal with :data:`REVISION_REPLY`
    (method choice 7), and ``reward`` and ``score`` stay what they were before.
    """
    if result is None:
        reply = REVISION_REPLY if parsed.action is not None else parsed.error or ""
        invalid = parsed.action is None
        return Step(response, parsed.action, reply, reward=reward, score=score, invalid=invalid, cut_off=cut_off)
    return Step(
        response=response,
        action=parsed.action,
        observation=result.observation,
        reward=result.reward,
        score=result.score,
        terminated=result.terminated,
        truncated=result.truncated,
        invalid=bool(result.info.get("invalid", False)),
        cut_off=cut_off,
    )
