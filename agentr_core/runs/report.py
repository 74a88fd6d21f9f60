"""Tables out of the store: what a run's iterations, or several critics over the same trees, came to. No printing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core.account import describe
from agentr_core.evaluate.metrics import Z95, agreement, paired_difference
from agentr_core.store import DatasetRow, EvalRow, RevisionSetRow, RunRow, Store

Cells = list[str]
#: Behind the heading of what has an interval: Wilson's for a share, the normal one for a paired difference.
_95 = "(95%)"


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, and rows of text cells; ``data`` are the same rows as JSON values."""

    columns: Cells
    rows: list[Cells]
    data: list[dict[str, Any]]


def iterations(store: Store, run: RunRow) -> Table:
    """The closing table of a run: one row for the baseline and each evaluated iteration."""
    data = iteration_rows(store, run)
    columns = ["", f"success {_95}", "reward", "steps", "invalid", "loops", "revision test", "revisions"]
    columns.append(f"against baseline {_95}")
    return Table(columns, [_iteration_cells(row) for row in data], data)


def iteration_rows(store: Store, run: RunRow) -> list[dict[str, Any]]:
    """Metrics of each evaluated model by iteration, with the paired difference in success to the baseline.

    The run's own evaluations come first in each iteration; ``own`` tells them from those of single stages.
    """
    own = {stage.result_id for stage in store.runs.stages(run.id) if stage.stage == "evaluate"}
    evals = [row for row in store.evaluations.select(run.id, kind="plain") if row.status == "done"]
    return [
        _iteration_row(store, run, row, own=row.id in own)
        for row in sorted(evals, key=lambda row: (row.iteration, row.id not in own, row.id))
    ]


def _iteration_row(store: Store, run: RunRow, plain: EvalRow, *, own: bool) -> dict[str, Any]:
    dataset, revisions = _origin(store, run, plain.model)
    row = {"run": run.key, "iteration": plain.iteration, "own": own, "split": plain.split, "model": plain.model}
    row |= {"dataset": dataset.name if dataset else None, "settings": _other_settings(run, plain)}
    row |= plain.metrics
    for test in store.evaluations.select(run.id, iteration=plain.iteration, kind="revision_test"):
        if test.status == "done" and test.config == plain.config:
            row["revision_test"] = test.metrics["success"]
    row["revisions"] = revisions.metrics.get("revisions") if revisions else None
    row["verified_share"] = _verified(revisions.metrics) if revisions else None
    if plain.iteration and (baseline := _baseline(store, run, plain)):
        row["gain"], error = paired_difference(_successes(store, plain), _successes(store, baseline))
        row["gain_error"] = error if math.isfinite(error) else None
    return row


def _origin(store: Store, run: RunRow, model: str) -> tuple[DatasetRow | None, RevisionSetRow | None]:
    """What a checkpoint of the run was trained on; nothing for a model that is none."""
    path = store.checkpoints.found_model(model)  # absolute in older databases, which may have been moved since
    made = next(
        (
            row
            for row in store.checkpoints.select(run.id)
            if model == store.checkpoints.kept(row.path) or row.path == path
        ),
        None,
    )
    dataset = store.datasets.get(made.dataset_id) if made else None
    if dataset is None or dataset.set_id is None:
        return dataset, None
    return dataset, store.revisions.get(dataset.set_id)


def _other_settings(run: RunRow, plain: EvalRow) -> dict[str, Any]:
    """The settings of an evaluation that are not the run's own."""
    ours: dict[str, Any] = run.config["evaluate"]
    return {name: value for name, value in plain.config.items() if name in ours and value != ours[name]}


def _baseline(store: Store, run: RunRow, plain: EvalRow) -> EvalRow | None:
    """The first model's evaluation on the same tasks and seeds."""
    rows = store.evaluations.select(run.id, iteration=0, kind="plain")
    same = {**plain.config, "model": None}
    return next((row for row in rows if row.status == "done" and {**row.config, "model": None} == same), None)


def _successes(store: Store, row: EvalRow) -> dict[int, float]:
    results = store.evaluations.results(row.id)
    return {result.task_id: float(result.success) for result in results if result.error is None}


def _verified(metrics: dict[str, Any]) -> float | None:
    return metrics["verified"] / metrics["tried"] if metrics.get("tried") else None


def _iteration_cells(row: dict[str, Any]) -> Cells:
    label = [f"iteration {row['iteration']}" if row["iteration"] else "baseline"]
    if row["dataset"] and not row["own"]:
        label.append(row["dataset"])
    label += [f"{name}={value}" for name, value in row["settings"].items()]
    label += [f"{row['failed']:.0f} not played"] if row.get("failed") else []
    test = f"{100 * row['revision_test']:.1f}%" if "revision_test" in row else "-"
    revisions = "-"
    if row["revisions"] is not None:
        share = f" ({100 * row['verified_share']:.0f}% verified)" if row["verified_share"] is not None else ""
        revisions = f"{row['revisions']:,.0f}{share}"
    gain = _gain(row)
    return [
        " · ".join(label),
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
    error = "?" if row["gain_error"] is None else f"{100 * Z95 * row['gain_error']:.1f}"
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
        every = iteration_rows(store, run)
        found = [row for row in every if row["own"]] or every
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
    columns = ["run", "env · searcher · critic", "seed", "iterations", "baseline", f"success {_95}"]
    columns += [f"gain {_95}", "revision test"]
    return Table(columns, rows, data)


def critics(store: Store, run: RunRow) -> Table:
    """All revision sets over the trees of one run: their agreement with the oracle's cuts, and what training brought.

    Success is that of the model trained on the set after the run's own recipe, under the run's own settings.
    """
    sets = [row for row in store.revisions.select(run.id) if row.status == "done"]
    cuts = {row.id: _cuts(store, row) for row in sets}
    trained = _trained(store, run)
    oracle = {row.iteration: cuts[row.id] for row in sets if row.critic == "oracle"}
    data: list[dict[str, Any]] = []
    rows: list[Cells] = []
    for row in sets:
        agrees, after = agreement(cuts[row.id], oracle.get(row.iteration, {})), trained.get(row.id)
        names = {"critic": row.critic, "iteration": row.iteration, "set": row.id, "oracle": agrees}
        data.append({**names, **row.metrics, "trained": after})
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
                "-" if after is None else interval(after),
                "-" if after is None else _gain(after),
            ]
        )
    columns = ["critic", "iteration", "revisions", "verified", "judged", "cut (mean)", "agrees with oracle", "tokens"]
    return Table([*columns, f"success after training {_95}", f"against baseline {_95}"], rows, data)


def _trained(store: Store, run: RunRow) -> dict[int, dict[str, Any]]:
    """By revision set: the evaluation of the model that was trained on it with the run's own recipe and settings."""
    found: dict[int, dict[str, Any]] = {}
    for row in iteration_rows(store, run):
        dataset, revisions = _origin(store, run, row["model"])
        if dataset and revisions and dataset.recipe == run.config["data"]["recipe"] and not row["settings"]:
            found.setdefault(revisions.id, row)
    return found


def _cuts(store: Store, row: RevisionSetRow) -> dict[tuple[int, int, int], int]:
    """The cut of each pair of a set, by tree and leaves."""
    samples = store.revisions.samples(row.id)
    return {(s.tree_id, s.bad_leaf, s.good_leaf): s.cut for s in samples if s.kind != "good"}


def account_lines(store: Store, run: RunRow, *, quiet: bool = True) -> list[str]:
    """What went otherwise than it should in a run, a line a stage; without ``quiet``, what is common as well."""
    lines = []
    for (iteration, stage), counts in store.runs.accounts(run.id).items():
        told = describe(counts, quiet=quiet)
        where = f"iteration {iteration}, {stage}" if iteration else "baseline"
        lines += [f"{where}: {told}"] if told else []
    return lines
