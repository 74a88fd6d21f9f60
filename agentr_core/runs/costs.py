"""What each environment of a run took, out of the store: trees, tokens, seconds, rows of training. No printing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from agentr_core.runs.labels import environment_names
from agentr_core.runs.report import Cells, Table
from agentr_core.store import DatasetRow, RunRow, Store

COSTS_NOTE = "tokens are those of the search; seconds are added up over trees and episodes, of which many run at once"
_COLUMNS = ["environment", "trees", "samples", "tokens", "cached", "env seconds"]
_COLUMNS += ["eval tokens", "eval seconds", "training rows"]
_OF_TREES = ("samples", "prompt_tokens", "completion_tokens", "cached_tokens", "environment_seconds")
_FIELDS = ("trees", *_OF_TREES, "eval_episodes", "eval_tokens", "eval_seconds", "training_rows")
#: What the training rows of no environment are called.
_GENERAL = "general"


def costs(store: Store, run: RunRow, *, alone: bool = False) -> Table:
    """One row for each environment of a run that has several; no rows where it has one, unless ``alone``.

    ``trees`` are those that are done, and of each only what its last process asked for is known. Evaluations are all of
    the run: revision tests too, and those made beside it. Training rows are those of the run's own checkpoints; rows
    that are views of all trees have a row of their own, by what they are.
    """
    chosen = run.config.get("env")
    if not chosen or (isinstance(chosen, Mapping) and not alone):
        return Table(_COLUMNS, [], [])
    found = {name: Counter[str]() for name in environment_names(run.config).split(",")}
    for name, spent in _spent(store, run, usual=next(iter(found)) if len(found) == 1 else _GENERAL):
        found.setdefault(name, Counter()).update(spent)
    data: list[dict[str, Any]] = [
        {"environment": name, **{field: sums[field] for field in _FIELDS}} for name, sums in found.items()
    ]
    for row in data:
        row["cached_share"] = row["cached_tokens"] / row["prompt_tokens"] if row["prompt_tokens"] else None
    return Table(_COLUMNS, [_cells(row) for row in data], data, [COSTS_NOTE])


def _spent(store: Store, run: RunRow, usual: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each tree, episode and training row adds to its environment; ``usual`` is that of rows that name none."""
    for tree in store.trees.select(run.id, status="done"):
        yield tree.env, {"trees": 1, **{field: tree.stats.get(field, 0) for field in _OF_TREES}}
    for evaluation in store.evaluations.select(run.id):
        for result in store.evaluations.results(evaluation.id):
            tokens, seconds = result.prompt_tokens + result.completion_tokens, result.elapsed_seconds or 0.0
            yield result.env, {"eval_episodes": 1, "eval_tokens": tokens, "eval_seconds": seconds}
    for stage in store.runs.stages(run.id):
        if stage.stage == "train" and stage.result_id:
            yield from _trained(store, store.datasets.get(store.checkpoints.get(stage.result_id).dataset_id), usual)


def _trained(store: Store, dataset: DatasetRow, usual: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The rows that a checkpoint was trained on, by environment."""
    if dataset.reads != "conversations":
        yield dataset.reads if usual == _GENERAL else usual, {"training_rows": dataset.n_examples}
    for item in store.datasets.items(dataset.id):
        name = _GENERAL if item.kind == "general" else str(item.origin.get("env", usual))
        yield name, {"training_rows": 1}


def _cells(row: Mapping[str, Any]) -> Cells:
    share = row["cached_share"]
    return [
        row["environment"],
        f"{row['trees']:,}",
        f"{row['samples']:,}",
        f"{row['prompt_tokens'] + row['completion_tokens']:,}",
        "-" if share is None else f"{100 * share:.0f}%",
        f"{row['environment_seconds']:,.1f}",
        f"{row['eval_tokens']:,}",
        f"{row['eval_seconds']:,.1f}",
        f"{row['training_rows']:,}",
    ]
