"""Conversations: their head, the history as a critic reads it, and trimming to a context length. Pure, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.records import Message, Observation, Step, Task


def head(environment: AnyEnvironment, task: Task, observation: Observation) -> tuple[Message, ...]:
    """The turns before the first action of ``task``: its instructions, then the first observation."""
    return (Message("system", environment.instructions(task)), Message("user", observation))


def render_history(steps: Sequence[Step]) -> str:
    """Steps as a log of ``Action:`` and ``Observation:`` lines (the form of Agent-R's critic prompt)."""
    lines = []
    for step in steps:
        lines.append(f"Action: {step.action if step.action is not None else step.response.strip()}")
        lines.append(f"Observation: {step.observation}")
    return "\n".join(lines)


def trim(
    messages: Sequence[Message], count: Callable[[Sequence[Message]], int], limit: int | None, *, head_turns: int = 2
) -> list[Message]:
    """Drop the oldest whole steps until ``count(messages)`` is at most ``limit`` tokens.

    An action and its observation go together, so every observation still follows its own action. The head and the
    last step are kept even where they alone are over the limit: the policy then decides what to do.
    """
    kept = list(messages)
    if limit is None or count(kept) <= limit:
        return kept
    start, tail = list(kept[:head_turns]), kept[head_turns:]
    # Bisect on the number of dropped steps: counting tokens renders the whole prompt.
    low, high = 1, max(0, (len(tail) - 2) // 2)
    while low < high:
        middle = (low + high) // 2
        if count(start + tail[2 * middle :]) <= limit:
            high = middle
        else:
            low = middle + 1
    return start + tail[2 * high :]
