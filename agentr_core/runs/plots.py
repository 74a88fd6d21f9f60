"""What a run came to as series of numbers, for whoever draws them. Nothing is drawn and no statistic is made here:
intervals are those of the tables (:mod:`agentr_core.runs.report`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from agentr_core.runs.report import iteration_rows
from agentr_core.runs.yields import thinned, yields
from agentr_core.store import MetricRow, RunRow, StageRow, Store

#: From what is searched to what is trained: names, and where the table of yields has them.
FUNNEL = {
    "trees": "trees", "with pairs": "trees_with_pairs", "pairs": "pairs", "verified": "verified",
    "revisions": "revisions", "rows trained": "trained_rows",
}  # fmt: skip
#: Metrics of a training that come first, since they are looked for first.
_FIRST = ("loss", "reward")
#: Metrics that only say how far a training is: straight lines over its steps.
_NOT_DRAWN = ("epoch", "progress")


@dataclass(frozen=True, slots=True)
class Series:
    """Points of one name. ``low`` and ``high`` are the ends of 95% intervals, where there are any."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None


@dataclass(frozen=True, slots=True)
class Plot:
    """Series over one axis; of ``bars``, ``categories`` are what the numbers of ``x`` (from 0) mean.

    ``unit``: ``%`` of shares (0 to 1) that are read in percent, ``s`` of seconds. ``stacked``: the bars of all series
    add up to something.
    """

    id: str
    title: str
    x_label: str
    y_label: str
    series: Sequence[Series]
    kind: Literal["line", "bars"] = "line"
    categories: Sequence[str] | None = None
    unit: Literal["", "%", "s"] = ""
    stacked: bool = False


def run_plots(store: Store, run: RunRow, rows: Sequence[dict[str, Any]] | None = None) -> list[Plot]:
    """What there is to draw of a run: success, yield and time by iteration, and each metric that was recorded.

    ``rows`` are those of ``iteration_rows``, where they are at hand.
    """
    stages = store.runs.stages(run.id)
    own = [row for row in (iteration_rows(store, run) if rows is None else rows) if row["own"]]
    made = [_success(own), _funnel(store, run), _times(stages), *_metrics(store.runs.metrics(run.id))]
    return [plot for plot in made if plot.series]


def comparison_plots(store: Store, runs: Sequence[RunRow]) -> list[Plot]:
    """Success and loss of several runs, each series called by its run as well."""
    found: dict[str, tuple[Plot, list[Series]]] = {}
    for run in runs:
        rows = [row for row in iteration_rows(store, run) if row["own"]]
        for plot in (_success(rows), *_metrics(store.runs.metrics(run.id, stage="train", name="loss"))):
            named = [replace(series, name=f"{run.name or run.short} · {series.name}") for series in plot.series]
            found.setdefault(plot.id, (plot, []))[1].extend(named)
    return [replace(plot, series=series) for plot, series in found.values() if series]


def _success(rows: Sequence[dict[str, Any]]) -> Plot:
    """The run's own models by iteration, one series for each environment where there are several."""
    names = list(dict.fromkeys(name for row in rows for name in row.get("environments", {})))
    series = [_shares("mean" if names else "success", [(row["iteration"], row) for row in rows])] if rows else []
    for name in names:
        parts = [(row["iteration"], row["environments"][name]) for row in rows if name in row["environments"]]
        series.append(_shares(name, parts))
    if tested := [row for row in rows if "revision_test" in row]:
        values = [row["revision_test"] for row in tested]
        series.append(Series("revision test", [row["iteration"] for row in tested], values))
    return Plot("success", "Success by iteration (95%)", "iteration", "success", series, unit="%")


def _shares(name: str, rows: Sequence[tuple[int, dict[str, Any]]]) -> Series:
    shares, lows, highs = ([row[key] for _, row in rows] for key in ("success", "success_low", "success_high"))
    return Series(name, [iteration for iteration, _ in rows], shares, lows, highs)


def _funnel(store: Store, run: RunRow) -> Plot:
    """What became of the run's own trees, out of the table of yields."""
    own = [row for row in yields(store, run).data if row["own"]]
    places = list(range(len(FUNNEL)))
    series = [Series(f"iteration {row['iteration']}", places, [row[key] for key in FUNNEL.values()]) for row in own]
    return Plot("yield", "From trees to training", "", "number", series, "bars", list(FUNNEL))


def _times(stages: Sequence[StageRow]) -> Plot:
    """How long each stage of each iteration took, its interruptions too."""
    names = list(dict.fromkeys(row.stage for row in stages))
    iterations = sorted({row.iteration for row in stages})
    seconds = {(row.iteration, row.stage): stage_seconds(row) for row in stages}
    series = [
        Series(name, list(range(len(iterations))), [seconds.get((iteration, name)) for iteration in iterations])
        for name in names
    ]
    shown = [f"iteration {iteration}" if iteration else "baseline" for iteration in iterations]
    kept = [one for one in series if any(one.y)]
    return Plot("time", "Time by stage", "", "seconds", kept, "bars", shown, unit="s", stacked=True)


def stage_seconds(row: StageRow) -> float | None:
    """The seconds from a stage's start to its end; None where it has not come to it."""
    if not row.started_at or not row.finished_at:
        return None
    return (datetime.fromisoformat(row.finished_at) - datetime.fromisoformat(row.started_at)).total_seconds()


def _metrics(rows: Sequence[MetricRow]) -> Iterator[Plot]:
    """A plot for each metric that has more than a point anywhere, a series for each iteration."""
    found: dict[tuple[str, str], dict[int, list[MetricRow]]] = {}
    for row in rows:
        if row.name in _NOT_DRAWN:
            continue
        found.setdefault((row.stage, row.name), {}).setdefault(row.iteration, []).append(row)
    for (stage, name), by_iteration in sorted(found.items(), key=lambda item: (item[0][1] not in _FIRST, item[0])):
        series = [_steps(iteration, points) for iteration, points in by_iteration.items() if len(points) > 1]
        yield Plot(f"{stage}-{name}", f"{name.replace('_', ' ')} ({stage})", "step", name, series)


def _steps(iteration: int, rows: Sequence[MetricRow]) -> Series:
    kept = thinned(rows)
    return Series(f"iteration {iteration}", [row.step for row in kept], [row.value for row in kept])
