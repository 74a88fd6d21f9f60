"""Tables out of the store: what a run's iterations, or several critics over the same trees, came to. No printing."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core.account import describe
from agentr_core.evaluate.metrics import Z95, agreement, interval, mean_by_task, paired_difference, pass_at
from agentr_core.settings.run_config import flatten
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
    return _with_pass_at(Table(columns, [_iteration_cells(row) for row in data], data), at=2)


def _with_pass_at(table: Table, at: int) -> Table:
    """The table with a column for pass@K, where any of its evaluations played its tasks more than once."""
    if not any(map(pass_at, table.data)):
        return table
    cells = [[*row[:at], pass_at(data) or "-", *row[at:]] for row, data in zip(table.rows, table.data, strict=True)]
    return Table([*table.columns[:at], f"pass@K {_95}", *table.columns[at:]], cells, table.data)


def iteration_rows(store: Store, run: RunRow) -> list[dict[str, Any]]:
    """Metrics of each evaluated model by iteration, with the paired difference in success to the baseline.

    The run's own evaluations come first in each iteration; ``own`` tells them from those of single stages. No two have
    the same ``label``.
    """
    own = {stage.result_id for stage in store.runs.stages(run.id) if stage.stage == "evaluate"}
    evals = [row for row in store.evaluations.select(run.id, kind="plain") if row.status == "done"]
    rows = [
        _iteration_row(store, run, row, own=row.id in own)
        for row in sorted(evals, key=lambda row: (row.iteration, row.id not in own, row.id))
    ]
    return _labelled(rows)


def _labelled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each called by what tells it from the others: what it was trained on, its model and settings."""
    first = rows[0]["model"] if rows else None
    labels = [_label(row, first) for row in rows]
    shared = {label for label, count in Counter(labels).items() if count > 1}
    return [
        {**row, "label": f"{label} · evaluation {row['eval']}" if label in shared and not row["own"] else label}
        for row, label in zip(rows, labels, strict=True)
    ]


def _label(row: dict[str, Any], first_model: str | None) -> str:
    label = [f"iteration {row['iteration']}" if row["iteration"] else "baseline"]
    if not row["own"] and row["dataset"]:
        label.append(row["dataset"])
    elif not row["own"] and row["model"] != first_model:
        label.append(row["model"])
    return " · ".join([*label, *(f"{name}={value}" for name, value in row["settings"].items())])


def _iteration_row(store: Store, run: RunRow, plain: EvalRow, *, own: bool) -> dict[str, Any]:
    dataset, revisions = _origin(store, run, plain.model)
    row: dict[str, Any] = {"run": run.key, "iteration": plain.iteration, "eval": plain.id, "own": own}
    row |= {"split": plain.split, "model": plain.model}
    row |= {"dataset": dataset.name if dataset else None, "settings": other_settings(run, plain)}
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


def other_settings(run: RunRow, evaluation: EvalRow) -> dict[str, Any]:
    """The settings of an evaluation that are not the run's own, by dotted name: how it measured, and what acted."""
    config, policy = run.config, run.config["policy"]
    ours = {"repeats": 1, **config["evaluate"], "env": config["env"], "seed": config["seed"]}
    ours |= {"revision_action": config["revise"]["revision_action"]}
    ours |= {"policy": policy["name"], "options": {k: v for k, v in policy["options"].items() if k != "model"}}
    known, theirs = dict(flatten(ours)), dict(flatten({"repeats": 1, **evaluation.config}))
    if theirs.get("policy", policy["name"]) != policy["name"]:  # its options are not comparable
        theirs = {name: value for name, value in theirs.items() if not name.startswith("options.")}
    return {name: value for name, value in theirs.items() if name in known and value != known[name]}


def _baseline(store: Store, run: RunRow, plain: EvalRow) -> EvalRow | None:
    """The first model's evaluation on the same tasks and seeds."""
    rows = store.evaluations.select(run.id, iteration=0, kind="plain")
    same = {**plain.config, "model": None}
    return next((row for row in rows if row.status == "done" and {**row.config, "model": None} == same), None)


def _successes(store: Store, row: EvalRow) -> dict[int, float]:
    """The share of successes of each task that was played: of its repeats, where it was played more than once."""
    return mean_by_task(store.evaluations.results(row.id), lambda result: result.success)


def _verified(metrics: dict[str, Any]) -> float | None:
    return metrics["verified"] / metrics["tried"] if metrics.get("tried") else None


def _iteration_cells(row: dict[str, Any]) -> Cells:
    label = [row["label"]]
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
    return _with_pass_at(Table(columns, rows, data), at=6)


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
