"""What is reported about evaluations and critics. Pure.

A success is a reward of 1; intervals are 95%.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Z95 = 1.959963984540054


def wilson(successes: int, total: int, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; (0, 1) where nothing was tried."""
    if total == 0:
        return 0.0, 1.0
    share = successes / total
    centre = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    # At the ends the difference is 0 and 1 but for rounding.
    low = (centre - spread) / scale if successes else 0.0
    high = (centre + spread) / scale if successes < total else 1.0
    return low, high


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean; 0 of nothing."""
    return sum(values) / len(values) if values else 0.0


def standard_error(values: Sequence[float]) -> float:
    """The standard error of the mean (n - 1); infinite for fewer than two values."""
    if len(values) < 2:
        return math.inf
    centre = mean(values)
    return math.sqrt(sum((value - centre) ** 2 for value in values) / (len(values) - 1) / len(values))


def paired_difference(after: Mapping[Any, float], before: Mapping[Any, float]) -> tuple[float, float]:
    """Mean of ``after - before`` over the tasks that both have, and its standard error."""
    differences = [after[key] - before[key] for key in after if key in before]
    return mean(differences), standard_error(differences)


def repeats(actions: Sequence[str], length: int) -> list[int]:
    """How many times each run of consecutive repeats of an action sequence of ``length`` occurs (at least twice).

    Agent-R section 4.4, figure 4: ``a b a b a b`` holds, for length 2, one run of three. ``a a a a`` is a loop of
    length 1 and of no other: a sequence that itself repeats a shorter one is not looked for.
    """
    return [count for _, count in _runs(actions, length)]


def loop_count(actions: Sequence[str], longest: int = 4) -> int:
    """Steps that only repeat what was done directly before, by a sequence of up to ``longest`` actions."""
    repeated: set[int] = set()
    for length in range(1, longest + 1):
        for start, count in _runs(actions, length):
            repeated.update(range(start + length, start + count * length))
    return len(repeated)


def _runs(actions: Sequence[str], length: int) -> Iterator[tuple[int, int]]:
    """Start and count of each run, from left to right."""
    start = 0
    while start + 2 * length <= len(actions):
        unit, count = actions[start : start + length], 1
        while actions[start + count * length : start + (count + 1) * length] == unit:
            count += 1
        if count > 1 and not _repeats_itself(unit):
            yield start, count
            start += count * length
        else:
            start += 1


def _repeats_itself(unit: Sequence[str]) -> bool:
    return any(
        all(unit[i] == unit[i - period] for i in range(period, len(unit)))
        for period in range(1, len(unit))
        if len(unit) % period == 0
    )


def loop_profile(trajectories: Sequence[Sequence[str]], longest: int = 4) -> dict[int, float]:
    """Figure 4 of Agent-R: for each sequence length, the mean number of consecutive repeats in a trajectory.

    A trajectory without a repeat of that length counts as 1.
    """
    return {
        length: mean([mean(repeats(actions, length)) or 1.0 for actions in trajectories])
        for length in range(1, longest + 1)
    }


def summarize(results: Sequence[Any]) -> dict[str, float]:
    """The metrics of one evaluation from its rows (``reward, success, steps, invalid, loops, *_tokens, error``).

    Means and intervals are over the tasks that were played, and ``failed`` counts those that were not (they have an
    ``error``): nothing counts as reward 0 because nobody played it.
    """
    failed = sum(result.error is not None for result in results)
    results = [result for result in results if result.error is None]
    total = len(results)
    successes = sum(bool(result.success) for result in results)
    low, high = wilson(successes, total)
    rewards = [float(result.reward) for result in results]
    return {
        "tasks": float(total),
        "success": successes / total if total else 0.0,
        "success_low": low,
        "success_high": high,
        "reward": mean(rewards),
        "reward_error": standard_error(rewards) if total > 1 else 0.0,
        "steps": mean([float(result.steps) for result in results]),
        "invalid": mean([float(result.invalid) for result in results]),
        "loops": mean([float(result.loops) for result in results]),
        "prompt_tokens": float(sum(result.prompt_tokens for result in results)),
        "completion_tokens": float(sum(result.completion_tokens for result in results)),
        "failed": float(failed),
    }


def agreement(cuts: Mapping[Any, int], reference: Mapping[Any, int]) -> float | None:
    """The share of trajectories that two critics cut at the same step; None where they share none."""
    common = [key for key in cuts if key in reference]
    return mean([float(cuts[key] == reference[key]) for key in common]) if common else None
