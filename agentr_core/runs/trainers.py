"""Models that trainers made of the same trees, side by side, with what each took. No printing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentr_core.evaluate.metrics import interval
from agentr_core.runs.by_environment import Successes, paired, successes
from agentr_core.runs.labels import setting_texts, told_apart
from agentr_core.runs.report import SUCCESS_NOTE, Cells, Table, gain_text, iteration_rows, points_text
from agentr_core.store import CheckpointRow, RunRow, Store
from agentr_core.store.checkpoints import TRAINING_SECONDS

TRAINER_NOTE = (
    "rows, trained tokens and training seconds: what was trained on, and how long; searched (actions drawn, tokens in "
    "and out) and env steps: what the iteration's trees took, the same for all that are made of them; critic tokens: "
    "those of the verdicts on the revisions that were trained on, a critic's rollouts among them"
)
_COLUMNS = [
    "trainer",
    "iteration",
    "reads",
    "rows",
    "trained tokens",
    "optimizer steps",
    "training seconds",
    "searched actions",
    "searched tokens",
]
_COLUMNS += ["env steps", "critic tokens", "success (95%)", "against baseline (95%)", "against first (95%)"]
_SEARCH = {
    "searched_actions": ("samples",),
    "searched_tokens": ("prompt_tokens", "completion_tokens"),
    "environment_steps": ("environment_steps",),
}
#: What of an evaluation is told, as far as it has it.
_MEASURED = (
    *(
        "eval",
        "own",
        "success",
        "success_low",
        "success_high",
        "reward",
        "repeats",
        "pass_at_k",
        "pass_low",
        "pass_high",
    ),
    *("gain", "gain_error", "revision_test"),
)


def trainers(store: Store, chosen: Sequence[RunRow]) -> Table:
    """A row for each finished checkpoint of some runs: trainer, what it read, what that took, and what it came to.

    Checkpoints of one trainer are told apart by the settings in which they differ, and by what they were trained on.
    ``against_first`` is the difference in success to the first row of the run's iteration, paired over the tasks that
    both were measured on. Success is that of the evaluation with the run's own settings, where there was one.
    """
    data = [row for run in chosen for row in _rows(store, run)]
    columns = ["run", *_COLUMNS] if len(chosen) > 1 else _COLUMNS
    cells = [[*([row["name"]] if len(chosen) > 1 else []), *_cells(row)] for row in data]
    return Table(columns, cells, data, [SUCCESS_NOTE, TRAINER_NOTE])


def own_costs(store: Store, run: RunRow) -> dict[str, float]:
    """What a run's own iterations took together: tokens of search and critic, env steps, trained tokens, its seconds.

    What no trainer has told is not there.
    """
    stages = store.runs.stages(run.id)
    made = [store.checkpoints.get(row.result_id) for row in stages if row.stage == "train" and row.result_id]
    spent = [_search(store, run, row.iteration) for row in stages if row.stage == "search"]
    found = {name: float(sum(each[name] for each in spent)) for name in _SEARCH}
    found["critic_tokens"] = float(sum(_critic(row.metrics) for row in stages if row.stage == "revise"))
    for name in ("trained_tokens", TRAINING_SECONDS):
        told = [row.metrics[name] for row in made if row.metrics.get(name) is not None]
        found |= {name: float(sum(told))} if told else {}
    return found


def has_several(table: Table) -> bool:
    """Whether any trees had more than one model made of them: else there is nothing to compare."""
    made = [(row["run"], row["iteration"]) for row in table.data]
    return len(set(made)) < len(made)


def _rows(store: Store, run: RunRow) -> Iterator[dict[str, Any]]:
    made = sorted((row for row in store.checkpoints.select(run.id) if row.complete), key=lambda row: row.iteration)
    measured, first = iteration_rows(store, run), dict[int, Successes]()
    spent = {iteration: _search(store, run, iteration) for iteration in {row.iteration for row in made}}
    for row in made:
        alike = [other for other in made if (other.trainer, other.iteration) == (row.trainer, row.iteration)]
        settings = told_apart([_made_with(store, each) for each in alike])[alike.index(row)]
        label = " · ".join([row.trainer, *setting_texts(settings)])
        known = {"run": run.key, "name": run.name or run.short, "checkpoint": row.id, "settings": settings}
        evaluated = _evaluation(store, measured, row)
        yield {**known, **_of(store, row), "label": label, **spent[row.iteration], **_gains(store, evaluated, first)}


def _made_with(store: Store, row: CheckpointRow) -> dict[str, Any]:
    """What may tell models of one trainer apart: its settings, and the dataset."""
    return {"trainer": row.config.get("trainer", {}), "dataset": {"name": store.datasets.get(row.dataset_id).name}}


def _evaluation(store: Store, measured: Sequence[dict[str, Any]], made: CheckpointRow) -> dict[str, Any]:
    """The evaluation of a checkpoint with the run's own settings; nothing where there was none."""
    of_it = (row for row in measured if store.checkpoints.is_model(made, row["model"]))
    return next((row for row in of_it if not row["settings"]), {})


def _of(store: Store, row: CheckpointRow) -> dict[str, Any]:
    dataset = store.datasets.get(row.dataset_id)
    return {
        "trainer": row.trainer,
        "iteration": row.iteration,
        "reads": dataset.reads,
        "dataset": dataset.id,
        "rows": int(row.metrics.get("examples", dataset.n_examples)),
        "trained_tokens": row.metrics.get("trained_tokens"),
        "optimizer_steps": row.step,
        "training_seconds": row.metrics.get(TRAINING_SECONDS),
        "critic_tokens": 0 if dataset.set_id is None else _critic(store.revisions.get(dataset.set_id).metrics),
    }


def _critic(metrics: Mapping[str, Any]) -> int:
    """Tokens that went into the verdicts of a revision set."""
    return int(metrics.get("judge_tokens", 0))


def _search(store: Store, run: RunRow, iteration: int) -> dict[str, int]:
    stats = [tree.stats for tree in store.trees.select(run.id, iteration=iteration, status="done")]
    return {name: sum(each.get(part, 0) for each in stats for part in parts) for name, parts in _SEARCH.items()}


def _gains(store: Store, evaluated: Mapping[str, Any], first: dict[int, Successes]) -> dict[str, Any]:
    """Success and its differences to the baseline and to the ``first`` model of the iteration, where measured."""
    if not evaluated:
        return {}
    ours = successes(store, store.evaluations.get(evaluated["eval"]))
    found = {name: evaluated[name] for name in _MEASURED if name in evaluated}
    if evaluated["iteration"] in first:
        gain, error, shared = paired(ours, first[evaluated["iteration"]])
        found |= {"against_first": gain, "against_first_error": error} if shared else {}
    first.setdefault(evaluated["iteration"], ours)
    return found


def _cells(row: Mapping[str, Any]) -> Cells:
    tokens, success = row["trained_tokens"], "success" in row
    return [
        row["label"],
        str(row["iteration"]),
        row["reads"],
        f"{row['rows']:,}",
        "-" if tokens is None else f"{tokens:,.0f}",
        f"{row['optimizer_steps']:,}",
        "-" if row["training_seconds"] is None else f"{row['training_seconds']:,.0f}",
        *(f"{row[name]:,}" for name in _SEARCH),
        f"{row['critic_tokens']:,}",
        interval(dict(row)) if success else "not evaluated",
        gain_text(dict(row)) if success else "-",
        points_text(row.get("against_first"), row.get("against_first_error")),
    ]
