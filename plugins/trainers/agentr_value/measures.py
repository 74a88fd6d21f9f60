"""How good a value model is on tasks that it was not trained on. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agentr_value.states import State

#: Bins of equal width for the calibration.
_BINS = 10
#: The share of steps that were no mistake and are taken for one at ``delta``.
_FALSE_ALARMS = 0.05


def measures(states: Sequence[State], expected: Sequence[float]) -> dict[str, float]:
    """Of states that go on, in trees with both outcomes: AUC, calibration error, and progress of single steps.

    ``auc``: how often the better of two states is expected to be worth more (equal: half). ``ece``: mean distance
    between what is expected and what came, over ten bins. ``progress``: correlation of the change that a step brings
    with the change that is expected. ``delta``: the fall beyond which 5% of the steps that were no mistake are. What
    cannot be told is left out.
    """
    known = [(state, value) for state, value in zip(states, expected, strict=True) if state.mixed and not state.ended]
    found = {"held_out_states": float(len(known))}
    if known:
        pairs = [(state.value, value) for state, value in known]
        found |= _kept({"auc": auc(pairs), "ece": calibration_error(pairs)})
        found["brier"] = sum((value - came) ** 2 for came, value in pairs) / len(pairs)
    steps = _steps(states, expected)
    found |= _kept({"progress": correlation(steps)})
    falls = sorted(ahead for came, ahead in steps if came >= 0.0)
    if falls:
        found["delta"] = max(0.0, -falls[int(_FALSE_ALARMS * len(falls))])
    return found


def _kept(found: dict[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in found.items() if value is not None}


def _steps(states: Sequence[State], expected: Sequence[float]) -> list[tuple[float, float]]:
    """What each step changed, and what was expected to change."""
    known = {state.place: (state.value, value) for state, value in zip(states, expected, strict=True)}
    steps = []
    for state, value in zip(states, expected, strict=True):
        before = None if state.came_from is None else known.get(state.came_from)
        if state.mixed and before is not None:
            steps.append((state.value - before[0], value - before[1]))
    return steps


def auc(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Of all pairs of unlike truth, the share that is expected in the right order; None without such a pair."""
    right = total = 0.0
    for number, (truth, value) in enumerate(pairs):
        for other, guess in pairs[:number]:
            if truth != other:
                total += 1
                right += 0.5 if value == guess else float((value > guess) == (truth > other))
    return right / total if total else None


def calibration_error(pairs: Sequence[tuple[float, float]]) -> float | None:
    """The mean distance of expectation and truth by bins of expectation, each by its size."""
    bins: list[list[tuple[float, float]]] = [[] for _ in range(_BINS)]
    for truth, value in pairs:
        bins[min(_BINS - 1, int(value * _BINS))].append((truth, value))
    apart = sum(abs(sum(truth for truth, _ in each) - sum(value for _, value in each)) for each in bins)
    return apart / len(pairs) if pairs else None


def correlation(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Pearson's; None where either side is always the same."""
    if len(pairs) < 2:
        return None
    means = [sum(each) / len(pairs) for each in zip(*pairs, strict=True)]
    across = sum((left - means[0]) * (right - means[1]) for left, right in pairs)
    spread = [math.sqrt(sum((each[side] - means[side]) ** 2 for each in pairs)) for side in (0, 1)]
    return across / (spread[0] * spread[1]) if all(spread) else None
