"""What there is to know of an environment besides whether it keeps its contract: sizes, lengths and speed."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.records import Task
from agentr_core.seeds import derive_rng

#: Actions of a walk by chance at the most, and seconds that are spent on playing.
WALK, SECONDS = 25, 2.0


@dataclass(frozen=True, slots=True)
class Figures:
    """The sizes of the ``splits``; of the ``tasks`` that were looked at, how many have a demonstration and how many
    steps those take (``lengths``: fewest, median, most; None where there is none); steps in a second (None where no
    action is known: neither demonstrations nor legal actions)."""

    splits: Mapping[str, int]
    tasks: int
    demonstrated: int
    lengths: tuple[int, float, int] | None
    steps_per_second: float | None

    def as_dict(self) -> dict[str, Any]:
        """The figures as JSON."""
        return asdict(self)


def measure(make: Callable[[], AnyEnvironment], *, tasks: int = 20) -> Figures:
    """Look at the first ``tasks`` tasks of each split and play them for :data:`SECONDS` at most.

    Demonstrations are played, and walks by chance among the legal actions where there is none. Raises whatever the
    environment raises.
    """
    environment = make()
    try:
        splits = {split: environment.tasks(split) for split in environment.splits()}
        looked_at = [task for found in splits.values() for task in found[:tasks]]
        shown = [(task, environment.demonstrate(task)) for task in looked_at]
        lengths = [len(actions) for _, actions in shown if actions is not None]
        return Figures(
            {split: len(found) for split, found in splits.items()},
            len(looked_at),
            len(lengths),
            (min(lengths), statistics.median(lengths), max(lengths)) if lengths else None,
            _speed(environment, shown),
        )
    finally:
        environment.close()


def _speed(environment: AnyEnvironment, shown: Sequence[tuple[Task, Sequence[str] | None]]) -> float | None:
    """Steps in a second of stepping; resets, and thinking of an action, do not count."""
    steps, spent, end = 0, 0.0, time.perf_counter() + SECONDS
    for task, actions in shown:
        environment.reset(task)
        for action in _by_chance(environment, task) if actions is None else actions:
            begun = time.perf_counter()
            result = environment.step(action)
            spent += time.perf_counter() - begun
            steps += 1
            if result.terminated or result.truncated or time.perf_counter() > end:
                break
        if time.perf_counter() > end:
            break
    return steps / max(spent, 1e-9) if steps else None


def _by_chance(environment: AnyEnvironment, task: Task) -> Iterator[str]:
    rng = derive_rng(0, "walk", task.key)
    for _ in range(WALK):
        legal = environment.legal_actions()
        if not legal:
            return
        yield rng.choice(list(legal))
