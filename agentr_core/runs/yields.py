"""What became of a run's trees on the way to training, and how training and success went on. No printing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from agentr_core.evaluate.metrics import interval
from agentr_core.runs.report import SUCCESS_NOTE, Cells, Table, iteration_rows, set_labels
from agentr_core.store import MetricRow, RevisionSetRow, RunRow, Store

YIELD_NOTE = "with pairs: trees with a good and a bad attempt that can be spliced; executed: splices that were played"
LOSS_NOTE = "loss: mean over the trained tokens of an optimizer's step"
TOKENS_NOTE = "tokens: prompts and answers of the run's search up to then, of all its iterations"
#: Points of one series that are kept; of more, each k-th and the last.
MOST_POINTS = 400


def yields(store: Store, run: RunRow) -> Table:
    """A row for each revision set that is done: from its trees over pairs and splices to the rows trained.

    ``own`` are those of the run itself, the others were made by single stages. ``trained_rows`` are those of the run's
    own checkpoint.
    """
    columns = ["critic", "iteration", "trees", "with pairs", "pairs", "executed", "verified", "revisions", "good"]
    columns.append("rows trained")
    own = {stage.result_id for stage in store.runs.stages(run.id) if stage.stage == "revise"}
    rows_of = _trained_rows(store, run)
    sets = [row for row in store.revisions.select(run.id) if row.status == "done"]
    labels = set_labels(sets)
    data = [_yield(store, run, row, labels[row.id], row.id in own, rows_of) for row in sets]
    return Table(columns, [_yield_cells(row) for row in data], data, [YIELD_NOTE])


def _yield(
    store: Store, run: RunRow, made: RevisionSetRow, label: str, own: bool, rows_of: Mapping[int, int]
) -> dict[str, Any]:
    trees = store.trees.select(run.id, iteration=made.iteration, status="done")
    revised = store.revisions.trees(made.id)
    return {
        **{"run": run.key, "set": made.id, "critic": made.critic, "label": label, "iteration": made.iteration},
        **{name: made.metrics[name] for name in ("pairs", "tried", "verified")},
        "own": own,
        "trees": len(trees),
        "trees_with_pairs": sum(metrics.get("pairs", 0) > 0 for metrics in revised.values()),
        "revisions": made.metrics["revisions"],
        "good": made.metrics["good"],
        "trained_rows": rows_of.get(made.id) if own else None,
    }


def _trained_rows(store: Store, run: RunRow) -> dict[int, int]:
    """By revision set, the rows that the run's own train stage took of it."""
    made = [stage.result_id for stage in store.runs.stages(run.id) if stage.stage == "train" and stage.result_id]
    datasets = [store.datasets.get(store.checkpoints.get(checkpoint).dataset_id) for checkpoint in made]
    return {dataset.set_id: dataset.n_examples for dataset in datasets if dataset.set_id is not None}


def _yield_cells(row: Mapping[str, Any]) -> Cells:
    names = ("pairs", "tried", "verified", "revisions", "good", "trained_rows")
    counts = ["-" if row[name] is None else f"{row[name]:,.0f}" for name in names]
    return [row["label"], str(row["iteration"]), f"{row['trees']:,}", f"{row['trees_with_pairs']:,}", *counts]


def losses(store: Store, run: RunRow) -> Table:
    """The loss of each step of the run's trainings; of long ones each k-th step and the last."""
    found = [row for row in store.runs.metrics(run.id, stage="train") if row.name == "loss" and row.value is not None]
    data = [
        {"run": run.key, "iteration": row.iteration, "step": row.step, "loss": row.value}
        for _, rows in groupby(found, key=lambda row: row.iteration)
        for row in thinned(list(rows))
    ]
    cells = [[str(row["iteration"]), str(row["step"]), f"{row['loss']:.4f}"] for row in data]
    return Table(["iteration", "step", "loss"], cells, data, [LOSS_NOTE])


def thinned(rows: Sequence[MetricRow]) -> Sequence[MetricRow]:
    """At most so many rows as are kept of a series (and the last one), evenly."""
    every = -(-len(rows) // MOST_POINTS)
    return rows if every < 2 else [row for at, row in enumerate(rows) if at % every == 0 or at == len(rows) - 1]


def against_tokens(store: Store, run: RunRow) -> Table:
    """Success of the run's own models against what its search had taken until then; no rows where nobody counted."""
    spent = {tree.id: (tree.iteration, _tokens(tree.stats)) for tree in store.trees.select(run.id)}
    if not any(tokens for _, tokens in spent.values()):
        return Table(["", "tokens", "success (95%)"], [], [])
    names = ("run", "iteration", "label", "success", "success_low", "success_high", "repeats")
    data = []
    for row in iteration_rows(store, run):
        if row["own"]:
            tokens = sum(tokens for iteration, tokens in spent.values() if iteration <= row["iteration"])
            data.append({"tokens": tokens, **{name: row[name] for name in names if name in row}})
    cells = [[row["label"], f"{row['tokens']:,}", interval(row)] for row in data]
    return Table(["", "tokens", "success (95%)"], cells, data, [TOKENS_NOTE, SUCCESS_NOTE])


def _tokens(stats: Mapping[str, Any]) -> int:
    return int(stats.get("prompt_tokens", 0) + stats.get("completion_tokens", 0))
