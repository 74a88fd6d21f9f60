"""What is reported about evaluations and critics. Pure.

A success is a reward of 1; intervals are 95%.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

Z95 = 1.959963984540054
#: What a mean over environments adds up.
_SUMMED = ("tasks", "prompt_tokens", "completion_tokens", "failed")


def wilson(successes: float, total: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of a proportion; (0, 1) where nothing was tried."""
    if total == 0:
        return 0.0, 1.0
    share = min(1.0, successes / total)  # a sum of shares may be over by a rounding
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
    """How many steps :func:`loop_steps` finds."""
    return len(loop_steps(actions, longest))


def loop_steps(actions: Sequence[str], longest: int = 4) -> set[int]:
    """Steps that only repeat what was done directly before, by a sequence of up to ``longest`` actions."""
    repeated: set[int] = set()
    for length in range(1, longest + 1):
        for start, count in _runs(actions, length):
            repeated.update(range(start + length, start + count * length))
    return repeated


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


def by_task(results: Iterable[Any], value: Callable[[Any], float]) -> dict[int, list[float]]:
    """The ``value`` of each episode that was played, by task: one number, or one for each repeat."""
    found: dict[int, list[float]] = {}
    for result in results:
        if result.error is None:
            found.setdefault(result.task_id, []).append(float(value(result)))
    return found


def mean_by_task(results: Iterable[Any], value: Callable[[Any], float]) -> dict[int, float]:
    """The mean ``value`` of each task over its repeats."""
    return {task: mean(values) for task, values in by_task(results, value).items()}


def clustered_wilson(tasks: Sequence[Sequence[float]]) -> tuple[float, float]:
    """The interval of a share whose cases come in groups: for each task, 0 or 1 for each of its repeats.

    Repeats of one task are alike, so that K of them tell less than K tasks would. It is Wilson's interval for as many
    independent cases as would give the mean over the tasks the variance that it shows (Dean and Pagano 2015): at least
    one a task, where repeats always come out alike, and at most all. With one repeat it is Wilson's own.
    """
    means, cases = [mean(task) for task in tasks], sum(map(len, tasks))
    share, error = mean(means), standard_error(means)
    spread = share * (1 - share)  # 0 where all came out alike: how much repeats tell cannot be seen then
    independent = spread / error**2 if error else (cases if spread else 0)
    effective = min(max(independent, len(means)), cases)
    return wilson(sum(means) * (effective / len(means) if means else 0), effective)


def passed(results: Sequence[Any], repeats: int) -> dict[str, float]:
    """``pass_at_k``: the share of tasks that at least one of their ``repeats`` solved, with Wilson's interval.

    A task of which a repeat was not played does not count: it had fewer chances.
    """
    whole = [task for task in by_task(results, lambda result: result.success).values() if len(task) == repeats]
    solved = sum(any(task) for task in whole)
    low, high = wilson(solved, len(whole))
    share = solved / len(whole) if whole else 0.0
    return {"repeats": float(repeats), "pass_at_k": share, "pass_low": low, "pass_high": high}


def summarize(results: Sequence[Any], repeats: int = 1) -> dict[str, float]:
    """The metrics of one evaluation from its rows (``reward, success, steps, invalid, loops, *_tokens, error``).

    Means and intervals are over the tasks that were played, the repeats of a task taken together, and ``failed`` counts
    episodes that were not played (they have an ``error``): nothing counts as reward 0 because nobody played it. With
    ``repeats``, :func:`passed` as well.
    """
    failed = sum(result.error is not None for result in results)
    results = [result for result in results if result.error is None]
    successes = by_task(results, lambda result: result.success)
    low, high = clustered_wilson(list(successes.values()))
    rewards = list(mean_by_task(results, lambda result: result.reward).values())
    return {
        **(passed(results, repeats) if repeats > 1 else {}),
        "tasks": float(len(successes)),
        "success": mean([mean(task) for task in successes.values()]),
        "success_low": low,
        "success_high": high,
        "reward": mean(rewards),
        "reward_error": standard_error(rewards) if len(rewards) > 1 else 0.0,
        "steps": mean([float(result.steps) for result in results]),
        "invalid": mean([float(result.invalid) for result in results]),
        "loops": mean([float(result.loops) for result in results]),
        "prompt_tokens": float(sum(result.prompt_tokens for result in results)),
        "completion_tokens": float(sum(result.completion_tokens for result in results)),
        "failed": float(failed),
    }


def summarize_worlds(results: Mapping[str, Sequence[Any]], repeats: int = 1) -> dict[str, float]:
    """:func:`summarize` of a run's several environments, by name, and their mean.

    Each counts the same, however many tasks it has, as in Agent-R's table 1; counts and tokens are summed up. What each
    came to stands beside it under ``NAME/METRIC``. One without results is left out.
    """
    parts = {name: summarize(own, repeats) for name, own in results.items() if own}
    beside = {f"{name}/{key}": value for name, part in parts.items() for key, value in part.items()}
    return {**average(list(parts.values())), **beside}


def average(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of summaries over independent tasks; the interval is the normal one of a mean of independent shares."""
    made = {key: mean([part[key] for part in parts]) for key in parts[0]}
    made |= {key: sum(part[key] for part in parts) for key in _SUMMED}
    made["reward_error"] = math.hypot(*(part["reward_error"] for part in parts)) / len(parts)
    for share, low, high in (("success", "success_low", "success_high"), ("pass_at_k", "pass_low", "pass_high")):
        if share in made:
            half = math.hypot(*((part[high] - part[low]) / 2 for part in parts)) / len(parts)
            made[low], made[high] = max(0.0, made[share] - half), min(1.0, made[share] + half)
    return made


def interval(metrics: Mapping[str, Any]) -> str:
    """Success with its 95% interval, in percent; of repeats it is the mean, which is said."""
    share = _percent(metrics["success"], metrics["success_low"], metrics["success_high"])
    return f"{share}, mean of {metrics['repeats']:.0f}" if "repeats" in metrics else share


def pass_at(metrics: Mapping[str, Any]) -> str:
    """``pass@4 75.0% (66.6-82.4)``; nothing where tasks were played once."""
    if "repeats" not in metrics:
        return ""
    share = _percent(metrics["pass_at_k"], metrics["pass_low"], metrics["pass_high"])
    return f"pass@{metrics['repeats']:.0f} {share}"


def _percent(share: float, low: float, high: float) -> str:
    return f"{100 * share:.1f}% ({100 * low:.1f}-{100 * high:.1f})"


def agreement(cuts: Mapping[Any, int], reference: Mapping[Any, int]) -> float | None:
    """The share of trajectories that two critics cut at the same step; None where they share none."""
    common = [key for key in cuts if key in reference]
    return mean([float(cuts[key] == reference[key]) for key in common]) if common else None
