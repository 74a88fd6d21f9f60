"""The critic's question and the reading of its answer (Agent-R section 3.1; method choice 4).

The layout is the paper's (role, log, current action and observation, three labels, a fixed last line), the words are
ours and name the environment's own domain.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from agentr_core import Label, Message, Trajectory, render_history

_SYSTEM = """\
You check the work of an agent in {domain}. You are given its task, a log of what it did and saw so far, and its next \
action with the observation that followed. In the log, lines that begin with "Action:" are what the agent did, and \
lines that begin with "Observation:" are what {domain} answered.
Decide whether this action helps to fulfil the task:
- good: it clearly brings the task nearer to its end.
- bad: it clearly harms: it is refused, useless, contradicts what was seen, or has nothing to do with the task.
- uncertain: it does neither, or it cannot be told.
Give your reasons first. Then end with one line that holds a single label:
Judgment: good, bad or uncertain"""

#: Marks of emphasis and punctuation around the words do no harm: ``**Judgment:** bad.``
_LABEL_LINE = re.compile(r"[\W_]*judge?ment[\W_]*:[\W_]*(good|bad|uncertain)[\W_]*", re.IGNORECASE)


def judge_prompt(trajectory: Trajectory, step: int, domain: str, *, left_out: int = 0) -> tuple[Message, ...]:
    """The conversation that asks for a verdict on step ``step`` (1-based).

    ``left_out`` steps at the beginning of the history are not told, only counted: for a model with a short context.
    """
    before, this = trajectory.steps[left_out : step - 1], trajectory.steps[step - 1]
    task = trajectory.head[-1].content if trajectory.head else trajectory.task.instruction
    gap = f"({left_out} earlier steps are left out)\n" if left_out else ""
    history = gap + render_history(before) if before else gap.strip() or "none"
    question = (
        f"Task:\n{task}\n\nHistory:\n{history}\n\n{render_history([this])}\n\nIs this action good, bad or uncertain?"
    )
    return (Message("system", _SYSTEM.format(domain=domain)), Message("user", question))


def parse_label(answer: str) -> Label:
    """The label of an answer, whose last line must be ``Judgment: LABEL`` and nothing else.

    Anything else is uncertain: no label, two on the line, more text after it. (The official code takes any text that
    holds "good" for good, and an empty one for bad.)
    """
    found = _label_line(answer)
    return found.group(1).lower() if found else "uncertain"  # type: ignore[return-value]


def has_label(answer: str) -> bool:
    """True where an answer says what it means, as :func:`parse_label` reads it."""
    return _label_line(answer) is not None


def _label_line(answer: str) -> re.Match[str] | None:
    lines = answer.strip().splitlines()
    return _LABEL_LINE.fullmatch(lines[-1]) if lines else None


def vote(labels: Sequence[Label]) -> Label:
    """The most frequent label; a tie at the top is uncertain."""
    ranked = Counter(labels).most_common(2)
    if not ranked or (len(ranked) > 1 and ranked[0][1] == ranked[1][1]):
        return "uncertain"
    return ranked[0][0]
