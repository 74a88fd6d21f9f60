"""Conversations: their head, the history as a critic reads it, and how it is fitted to a context. Pure, no I/O."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence

from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.records import Observation, SamplingParams, Step, Task
from agentr_core.turns import Message

#: More than a chat template writes around a turn.
_TURN_TOKENS = 64


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


def fewest_left_out(steps: int, fits: Callable[[int], bool]) -> int | None:
    """How many of the oldest ``steps`` must be left out at least so that a prompt fits; None where none of it helps.

    ``fits(k)``: whether it does without the k oldest. It is asked as seldom as can be, since it renders the prompt.
    """
    if fits(0):
        return 0
    least = bisect_left(range(1, steps + 1), True, key=fits) + 1
    return least if least <= steps else None


def trim(
    messages: Sequence[Message], count: Callable[[Sequence[Message]], int], limit: int | None, *, head_turns: int = 2
) -> list[Message]:
    """Drop the oldest whole steps until ``count(messages)`` is at most ``limit`` tokens.

    An action and its observation go together, so every observation still follows its own action. The head and the
    last step are kept even where they alone are over the limit: the policy then decides what to do.
    """
    start, tail = list(messages[:head_turns]), list(messages[head_turns:])
    if limit is None:
        return start + tail
    droppable = max(0, (len(tail) - 2) // 2)
    least = fewest_left_out(droppable, lambda dropped: count(start + tail[2 * dropped :]) <= limit)
    return start + tail[2 * (droppable if least is None else least) :]


def fit(
    policy: AnyPolicy, messages: Sequence[Message], params: SamplingParams, *, head_turns: int = 2
) -> list[Message]:
    """The conversation, trimmed so that prompt and completion fit the policy's context."""
    room = None if policy.context_length is None else policy.context_length - params.max_tokens
    return trim(messages, policy.count_tokens, room, head_turns=head_turns)


def fits(policy: AnyPolicy, messages: Sequence[Message], params: SamplingParams, *, head_turns: int = 2) -> bool:
    """True where what :func:`fit` keeps of the conversation at the least leaves room for a completion.

    A token stands for at least one byte, so most conversations need not be counted.
    """
    if policy.context_length is None:
        return True
    room = policy.context_length - params.max_tokens
    least = [*messages[:head_turns], *messages[head_turns:][-2:]]
    size = sum(len(message.content.encode("utf-8", "surrogatepass")) + _TURN_TOKENS for message in least)
    return size <= room or policy.count_tokens(least) <= room
