"""What an evaluation came to in each environment of a run, and the difference of two over all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentr_core.evaluate.metrics import mean, paired_difference
from agentr_core.store import EvalRow, Store

Successes = dict[str, dict[int, float]]


def successes(store: Store, row: EvalRow) -> Successes:
    """By environment, the share of successes of each task that was played: of its repeats, where it had several."""
    return store.evaluations.successes(row.id)


def paired(after: Successes, before: Successes) -> tuple[float, float | None, dict[str, tuple[float, float | None]]]:
    """The mean over environments of the paired difference over their tasks, its standard error, and that of each.

    An error is None where one environment has a single task. Environments that only one of the two has do not count.
    """
    both = [name for name in after if after[name].keys() & before.get(name, {}).keys()]
    each = {name: paired_difference(after[name], before[name]) for name in both}
    error = math.hypot(*(one for _, one in each.values())) / max(1, len(each))
    by_name = {name: (gain, _finite(one)) for name, (gain, one) in each.items()}
    return mean([gain for gain, _ in each.values()]), _finite(error), by_name


def _finite(error: float) -> float | None:
    return error if math.isfinite(error) else None


def environments_of(metrics: Mapping[str, Any], order: Sequence[str]) -> dict[str, dict[str, float]]:
    """The metrics of each environment out of those of an evaluation (``NAME/METRIC``); empty where it had one.

    They come in the ``order`` of the run, which metrics have not.
    """
    found: dict[str, dict[str, float]] = {}
    for key, value in metrics.items():
        name, slash, metric = key.rpartition("/")
        if slash:
            found.setdefault(name, {})[metric] = value
    return {name: found[name] for name in [*(name for name in order if name in found), *(found.keys() - set(order))]}


def with_environments(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row of evaluated models, and below it one for each environment where there are several."""
    parts = row.get("environments") or {}
    yield {**row, "label": f"{row['label']} · mean of {len(parts)}"} if parts else row
    shared = {key: row[key] for key in ("run", "iteration", "eval", "own", "model", "split", "settings")}
    for name, metrics in parts.items():
        beside = {"revisions": None, "verified_share": None, "environment": name, "label": f"  {name}"}
        yield {**shared, **metrics, **beside}
