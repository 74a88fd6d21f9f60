"""What the runs of a sweep came to: a row for each combination of settings, over its seeds. No printing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentr_core.evaluate.metrics import Z95, interval, mean
from agentr_core.runs.by_environment import Successes, paired, successes
from agentr_core.runs.plots import Plot, Series
from agentr_core.runs.report import Cells, Table, iteration_rows, points_text, without_empty
from agentr_core.runs.side_by_side import over_seeds
from agentr_core.runs.trainers import own_costs
from agentr_core.store import RunRow, Store

SWEEP_NOTE = (
    "success: of each run's last model. (95%): of several seeds Student's t of the mean over them, differences paired "
    "by seed; of one seed over tasks, differences paired over them; in points. Costs are sums of a run's iterations, "
    "mean over seeds; trees that several runs share count for each"
)
_COLUMNS = ["", "seeds", "iterations", "success (95%)", "pass@K", "against baseline (95%)", "against first (95%)"]
_COLUMNS += ["revision test", "searched tokens", "env steps", "critic tokens", "trained tokens", "training seconds"]
_COSTS = ("searched_tokens", "environment_steps", "critic_tokens", "trained_tokens", "training_seconds")
#: What is left out where no row has any.
_PERHAPS = ("pass@K", "against first (95%)", "revision test", "trained tokens", "training seconds")


def sweep_rows(store: Store, runs: Sequence[tuple[str, RunRow]]) -> list[dict[str, Any]]:
    """A row for each label of ``runs`` that has evaluated models: its seeds, its last models, what they took.

    ``against_first`` is the difference in success to the first label, of the runs whose seeds both have. A ``_half`` is
    half of a 95% interval, None where it is not known.
    """
    groups: dict[str, list[dict[str, Any]]] = {}
    for label, run in runs:
        if measured := [row for row in iteration_rows(store, run) if row["own"]]:
            last = {**measured[-1], **own_costs(store, run), "seed": run.seed, "name": run.name or run.short}
            solved = successes(store, store.evaluations.get(last["eval"]))
            groups.setdefault(label, []).append({**last, "solved": solved, "path": measured})
    first = next(iter(groups.values()), [])
    return [_row(label, group, first) for label, group in groups.items()]


def sweep_table(rows: Sequence[dict[str, Any]]) -> Table:
    """The rows of :func:`sweep_rows` to read."""
    table = Table(_COLUMNS, [_cells(row) for row in rows], [{**row} for row in rows], [SWEEP_NOTE])
    return without_empty(table, _PERHAPS)


def sweep_plot(rows: Sequence[dict[str, Any]]) -> Plot:
    """Success by iteration, the mean over seeds, with its 95% interval where there are several; a line for each row."""
    series = [Series(row["label"], *_columns(row["by_iteration"])) for row in rows]
    return Plot("sweep", "Success by iteration, mean over seeds (95%)", "iteration", "success", series, unit="%")


def _columns(points: Sequence[Mapping[str, Any]]) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    x, y, low, high = ([point[name] for point in points] for name in ("iteration", "success", "low", "high"))
    return x, y, low, high


def _row(label: str, group: Sequence[dict[str, Any]], first: Sequence[dict[str, Any]]) -> dict[str, Any]:
    row: dict[str, Any] = {"label": label, "seeds": [each["seed"] for each in group]}
    row |= {"runs": [each["name"] for each in group], "iterations": max(each["iteration"] for each in group)}
    row |= _mean_of("success", group, lambda each: each["success"], _over_tasks)
    row |= _mean_of("gain", group, lambda each: each.get("gain"), lambda each: _times(Z95, each.get("gain_error")))
    if len(group) == 1:
        row |= {name: group[0][name] for name in ("success_low", "success_high")}
    if group is not first:
        row |= _against(group, first)
    for name in ("pass_at_k", "revision_test", *_COSTS):
        known = [each[name] for each in group if each.get(name) is not None]
        row |= {name: mean(known)} if known else {}
    return {**row, "by_iteration": _by_iteration(group)}


def _mean_of(
    name: str,
    group: Sequence[dict[str, Any]],
    value: Callable[[dict[str, Any]], float | None],
    of_one: Callable[[dict[str, Any]], float | None],
) -> dict[str, Any]:
    """The mean over seeds and half its interval: over seeds, or where there is one, that of its tasks."""
    known = [each for each in group if value(each) is not None]
    if not known:
        return {}
    centre, half = over_seeds([value(each) or 0.0 for each in known])
    return {name: centre, f"{name}_half": of_one(known[0]) if len(known) == 1 else half}


def _over_tasks(each: Mapping[str, Any]) -> float:
    """Half the interval of one run's success (Wilson's is not quite in the middle: half its width)."""
    return float(each["success_high"] - each["success_low"]) / 2


def _times(factor: float, value: float | None) -> float | None:
    return None if value is None else factor * value


def _against(group: Sequence[dict[str, Any]], first: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The difference to the first group, seed by seed; paired over tasks where both have one seed alone."""
    theirs: dict[int, Successes] = {each["seed"]: each["solved"] for each in first}
    pairs = [paired(each["solved"], theirs[each["seed"]]) for each in group if each["seed"] in theirs]
    pairs = [pair for pair in pairs if pair[2]]  # any task that both have played
    if not pairs:
        return {}
    centre, half = over_seeds([gain for gain, _, _ in pairs])
    half = _times(Z95, pairs[0][1]) if len(pairs) == 1 else half
    return {"against_first": centre, "against_first_half": half}


def _by_iteration(group: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    found: dict[int, list[float]] = {}
    for each in group:
        for row in each["path"]:
            found.setdefault(row["iteration"], []).append(row["success"])
    points = []
    for iteration, values in sorted(found.items()):
        centre, half = over_seeds(values)
        ends = (None, None) if half is None else (max(0.0, centre - half), min(1.0, centre + half))
        points.append({"iteration": iteration, "success": centre, "low": ends[0], "high": ends[1]})
    return points


def _cells(row: Mapping[str, Any]) -> Cells:
    return [
        row["label"],
        ", ".join(map(str, row["seeds"])),
        str(row["iterations"]),
        _success(row),
        _share(row.get("pass_at_k")),
        points_text(row.get("gain"), row.get("gain_half"), half=True),
        points_text(row.get("against_first"), row.get("against_first_half"), half=True),
        _share(row.get("revision_test")),
        *(_count(row.get(name)) for name in _COSTS),
    ]


def _success(row: Mapping[str, Any]) -> str:
    """With half its interval over seeds; of one seed with the ends of that over tasks, which is not symmetrical."""
    if "success_low" in row:
        return interval({name: row[name] for name in ("success", "success_low", "success_high")})
    return _share(row["success"]) + ("" if row["success_half"] is None else f" ± {100 * row['success_half']:.1f}")


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}%"


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
