"""Tables out of the store: what a run's iterations, or several critics over the same trees, came to. No printing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core.metrics import agreement, paired_difference
from agentr_core.store import RevisionSetRow, RunRow, Store

Cells = list[str]


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, and rows of text cells; ``data`` are the same rows as JSON values."""

    columns: Cells
    rows: list[Cells]
    data: list[dict[str, Any]]


def iterations(store: Store, run: RunRow) -> Table:
    """The closing table of a run: one row for the baseline and each evaluated iteration."""
    data = iteration_rows(store, run)
    columns = ["", "success", "reward", "steps", "invalid", "loops", "revision test", "revisions", "against baseline"]
    return Table(columns, [_iteration_cells(row) for row in data], data)


def iteration_rows(store: Store, run: RunRow) -> list[dict[str, Any]]:
    """Metrics of each evaluated iteration, with the paired difference in success to the baseline."""
    revisions = {row.iteration: row.metrics for row in store.queries.revision_sets(run.id)}
    rows: list[dict[str, Any]] = []
    baseline: dict[int, float] = {}
    for plain in store.queries.evals(run.id, kind="plain"):
        if plain.status != "done":
            continue
        successes = {result.task_id: float(result.success) for result in store.queries.eval_results(plain.id)}
        row = {"run": run.key, "iteration": plain.iteration, "split": plain.split, **plain.metrics}
        for test in store.queries.evals(run.id, iteration=plain.iteration, kind="revision_test"):
            if test.status == "done" and test.model == plain.model:
                row["revision_test"] = test.metrics["success"]
        row["revisions"] = revisions.get(plain.iteration, {}).get("revisions")
        row["verified_share"] = _verified(revisions.get(plain.iteration, {}))
        if plain.iteration == 0:
            baseline = successes
        elif baseline:
            row["gain"], error = paired_difference(successes, baseline)
            row["gain_error"] = error if math.isfinite(error) else None
        rows.append(row)
    return rows


def _verified(metrics: dict[str, Any]) -> float | None:
    return metrics["verified"] / metrics["tried"] if metrics.get("tried") else None


def _iteration_cells(row: dict[str, Any]) -> Cells:
    label = f"iteration {row['iteration']}" if row["iteration"] else "baseline"
    test = f"{100 * row['revision_test']:.1f}%" if "revision_test" in row else "-"
    revisions = "-"
    if row["revisions"] is not None:
        share = f" ({100 * row['verified_share']:.0f}% verified)" if row["verified_share"] is not None else ""
        revisions = f"{row['revisions']:,.0f}{share}"
    gain = _gain(row)
    return [
        label,
        interval(row),
        f"{row['reward']:.2f}",
        f"{row['steps']:.1f}",
        f"{row['invalid']:.1f}",
        f"{row['loops']:.1f}",
        test,
        revisions,
        gain,
    ]


def _gain(row: dict[str, Any]) -> str:
    """Success against the baseline on the same tasks, in points; one task has no standard error."""
    if "gain" not in row:
        return "-"
    error = "?" if row["gain_error"] is None else f"{100 * row['gain_error']:.1f}"
    return f"{100 * row['gain']:+.1f} ± {error}"


def interval(metrics: dict[str, Any]) -> str:
    """Success with its 95% interval (Wilson), in percent."""
    low, high = 100 * metrics["success_low"], 100 * metrics["success_high"]
    return f"{100 * metrics['success']:.1f}% ({low:.1f}-{high:.1f})"


def runs(store: Store, chosen: Sequence[RunRow]) -> Table:
    """Several runs side by side: the last evaluated iteration of each against its baseline."""
    data: list[dict[str, Any]] = []
    rows: list[Cells] = []
    for run in chosen:
        found = iteration_rows(store, run)
        if not found:
            rows.append([run.name or run.short, "not evaluated", *["-"] * 6])
            continue
        first, last = found[0], found[-1]
        config = run.config
        data.append({**last, "name": run.name, "critic": config["critic"]["name"], "baseline": first["success"]})
        gain = _gain(last)
        test = f"{100 * last['revision_test']:.1f}%" if "revision_test" in last else "-"
        names = [config[kind]["name"] for kind in ("env", "searcher", "critic")]
        label = [run.name or run.short, " · ".join(names), str(run.seed), str(last["iteration"])]
        rows.append([*label, f"{100 * first['success']:.1f}%", interval(last), gain, test])
    columns = ["run", "env · searcher · critic", "seed", "iterations", "baseline", "success", "gain", "revision test"]
    return Table(columns, rows, data)


def critics(store: Store, run: RunRow) -> Table:
    """All revision sets over the trees of one run, with their agreement with the oracle's cuts."""
    sets = [row for row in store.queries.revision_sets(run.id) if row.status == "done"]
    cuts = {row.id: _cuts(store, row) for row in sets}
    oracle = {row.iteration: cuts[row.id] for row in sets if row.critic == "oracle"}
    data: list[dict[str, Any]] = []
    rows: list[Cells] = []
    for row in sets:
        agrees = agreement(cuts[row.id], oracle.get(row.iteration, {}))
        data.append({"critic": row.critic, "iteration": row.iteration, "set": row.id, "oracle": agrees, **row.metrics})
        metrics, verified = row.metrics, _verified(row.metrics)
        rows.append(
            [
                row.critic,
                str(row.iteration),
                f"{metrics['revisions']:,.0f}",
                "-" if verified is None else f"{100 * verified:.0f}%",
                f"{100 * metrics['judged'] / metrics['revisions']:.0f}%" if metrics["revisions"] else "-",
                f"{metrics['cut_mean']:.1f}",
                "-" if agrees is None else f"{100 * agrees:.0f}%",
                f"{metrics['judge_tokens']:,.0f}",
            ]
        )
    columns = ["critic", "iteration", "revisions", "verified", "judged", "cut (mean)", "agrees with oracle", "tokens"]
    return Table(columns, rows, data)


def _cuts(store: Store, row: RevisionSetRow) -> dict[tuple[int, int, int], int]:
    """The cut of each pair of a set, by tree and leaves."""
    samples = store.queries.samples(row.id)
    return {(s.tree_id, s.bad_leaf, s.good_leaf): s.cut for s in samples if s.kind != "good"}
