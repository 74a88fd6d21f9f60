"""Tables out of the store: what a run's iterations, or critics over the same trees, came to. No printing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentr_core.account import describe
from agentr_core.evaluate.metrics import Z95, agreement, interval, pass_at
from agentr_core.runs.by_environment import environments_of, paired, successes, with_environments
from agentr_core.runs.labels import (
    acting,
    began_with,
    environment_names,
    evaluation_label,
    measured_how,
    other_settings,
    setting_texts,
    told_apart,
)
from agentr_core.store import DatasetRow, EvalRow, RevisionSetRow, RunRow, Store

Cells = list[str]
#: Behind the heading of what has an interval.
_95 = "(95%)"
SUCCESS_NOTE = (
    "(95%): of a share Wilson's interval over tasks, of a mean over environments the normal one; of a difference "
    "paired over tasks, in points"
)
ITERATION_NOTE = "steps, invalid and loops (steps that only repeat) are means a task"
CRITIC_NOTE = "cut (mean): after which step; tokens: what the critic's questions and answers took"
#: Where a critic has played.
ROLLOUTS_NOTE = "tokens and env steps hold what its rollouts took as well"
#: Columns of the critics' table that are shown where one of the sets has something in them.
_MEASURED, _ENV_STEPS = "agrees with unrecoverable", "env steps"


@dataclass(frozen=True, slots=True)
class Table:
    """A heading, and rows of text cells; ``data`` are the same rows as JSON values, ``notes`` say what figures mean."""

    columns: Cells
    rows: list[Cells]
    data: list[dict[str, Any]]
    notes: Sequence[str] = ()


def iterations(store: Store, run: RunRow, rows: Sequence[dict[str, Any]] | None = None) -> Table:
    """The closing table of a run: one row for the baseline and each evaluated iteration.

    ``rows`` are those of :func:`iteration_rows`, where they are at hand.
    """
    rows = iteration_rows(store, run) if rows is None else rows
    data = [part for row in rows for part in with_environments(row)]
    columns = ["", f"success {_95}", "reward", "steps", "invalid", "loops", "revision test", "revisions"]
    columns.append(f"against baseline {_95}")
    notes = [SUCCESS_NOTE, ITERATION_NOTE]
    return with_pass_at(Table(columns, [_iteration_cells(row) for row in data], data, notes), at=2)


def with_pass_at(table: Table, at: int) -> Table:
    """The table with a column for pass@K, where any of its evaluations played its tasks more than once."""
    if not any(map(pass_at, table.data)):
        return table
    cells = [[*row[:at], pass_at(data) or "-", *row[at:]] for row, data in zip(table.rows, table.data, strict=True)]
    return Table([*table.columns[:at], f"pass@K {_95}", *table.columns[at:]], cells, table.data, table.notes)


def iteration_rows(store: Store, run: RunRow) -> list[dict[str, Any]]:
    """Metrics of each evaluated model by iteration, with the paired difference in success to the baseline.

    The run's own evaluations come first in each iteration; ``own`` tells them from those of single stages, ``began``
    those of the model that the run began with. No two have the same ``label``.
    """
    own = {stage.result_id for stage in store.runs.stages(run.id) if stage.stage == "evaluate"}
    evals = [row for row in store.evaluations.select(run.id, kind="plain") if row.status == "done"]
    first = next((row for row in evals if row.id in own and not row.iteration), None)
    baselines = [row for row in evals if began_with(run, row, first, store.checkpoints.kept_model)]
    rows = [
        _iteration_row(store, run, row, baselines, own=row.id in own)
        for row in sorted(evals, key=lambda row: (row.iteration, row.id not in own, row.id))
    ]
    return _labelled(rows)


def _labelled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each called by what tells it from the others: what it was trained on, its model and settings."""
    labels = [evaluation_label(row) for row in rows]
    shared = {label for label, count in Counter(labels).items() if count > 1}
    return [
        {**row, "label": f"{label} · evaluation {row['eval']}" if label in shared and not row["own"] else label}
        for row, label in zip(rows, labels, strict=True)
    ]


def _iteration_row(
    store: Store, run: RunRow, plain: EvalRow, baselines: Sequence[EvalRow], *, own: bool
) -> dict[str, Any]:
    dataset, revisions = _origin(store, run, plain.model)
    row: dict[str, Any] = {"run": run.key, "iteration": plain.iteration, "eval": plain.id, "own": own}
    row |= {"began": plain in baselines, "split": plain.split, "model": plain.model}
    row |= {"dataset": dataset.name if dataset else None, "settings": other_settings(run, plain)}
    row |= {key: value for key, value in plain.metrics.items() if "/" not in key}
    order = environment_names(run.config).split(",")
    row |= {"environments": parts} if (parts := environments_of(plain.metrics, order)) else {}
    for test in store.evaluations.select(run.id, iteration=plain.iteration, kind="revision_test"):
        if test.status == "done" and test.config == plain.config:
            row["revision_test"] = test.metrics["success"]
            for name, part in environments_of(test.metrics, order).items():
                parts[name]["revision_test"] = part["success"]
    row["revisions"] = revisions.metrics.get("revisions") if revisions else None
    row["verified_share"] = _verified(revisions.metrics) if revisions else None
    if baseline := _baseline(plain, baselines):
        row["gain"], row["gain_error"], each = paired(successes(store, plain), successes(store, baseline))
        for name in parts.keys() & each.keys():
            parts[name]["gain"], parts[name]["gain_error"] = each[name]  # type: ignore[assignment]
    return row


def _origin(store: Store, run: RunRow, model: str) -> tuple[DatasetRow | None, RevisionSetRow | None]:
    """What a checkpoint of the run was trained on; nothing for a model that is none."""
    checkpoints = store.checkpoints
    made = next((row for row in checkpoints.select(run.id) if checkpoints.is_model(row, model)), None)
    dataset = store.datasets.get(made.dataset_id) if made else None
    if dataset is None or dataset.set_id is None:
        return dataset, None
    return dataset, store.revisions.get(dataset.set_id)


def _baseline(plain: EvalRow, baselines: Sequence[EvalRow]) -> EvalRow | None:
    """The first model's evaluation on the same tasks and seeds, if possible with the same options of the policy.

    None where there is none, and for the first of them itself.
    """
    same = [row for row in baselines if measured_how(row) == measured_how(plain)]
    if not same or same[0] == plain:
        return None
    alike = [row for row in same if row != plain and {**acting(row), "model": plain.model} == acting(plain)]
    return [*alike, *same][0]


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
    gain = gain_text(row)
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


def gain_text(row: dict[str, Any]) -> str:
    """Success against the baseline on the same tasks, in points; one task has no standard error."""
    return points_text(row.get("gain"), row.get("gain_error"))


def points_text(value: float | None, error: float | None, *, half: bool = False) -> str:
    """A difference in points with its 95% interval; ``error`` is ``half`` of that, or a standard error."""
    if value is None:
        return "-"
    width = "?" if error is None else f"{100 * (1 if half else Z95) * error:.1f}"
    return f"{100 * value:+.1f} ± {width}"


def critics(store: Store, chosen: Sequence[RunRow]) -> Table:
    """All revision sets over the trees of some runs: their agreement with the oracle's cuts, and what training brought.

    Where the critic ``unrecoverable`` has measured first unrecoverable steps, the agreement with those as well.

    Sets of one critic are told apart by the options in which they differ, those of several runs by the run. Success is
    that of the model trained on the set after the run's own recipe, under the run's own settings.
    """
    data = [row for run in chosen for row in _critic_rows(store, run)]
    columns = ["critic", "iteration", "revisions", "verified", "judged", "cut (mean)", "agrees with oracle"]
    columns += [_MEASURED, "tokens", _ENV_STEPS, f"success after training {_95}", f"against baseline {_95}"]
    table = Table(columns, [_critic_cells(row) for row in data], data, [SUCCESS_NOTE, CRITIC_NOTE])
    table = without_empty(table, (_MEASURED, _ENV_STEPS))
    if _ENV_STEPS in table.columns:
        table = replace(table, notes=[*table.notes, ROLLOUTS_NOTE])
    if len(chosen) == 1:
        return table
    columns, names = table.columns, {run.key: run.name or run.short for run in chosen}
    rows = [[names[row["run"]], *cells] for row, cells in zip(data, table.rows, strict=True)]
    return Table(["run", *columns], rows, data, table.notes)


def without_empty(table: Table, names: Sequence[str]) -> Table:
    """The table without those of the columns ``names`` in which no row has anything."""
    shown = [
        number
        for number, column in enumerate(table.columns)
        if column not in names or any(row[number] != "-" for row in table.rows)
    ]
    cells = [[row[number] for number in shown] for row in table.rows]
    return Table([table.columns[number] for number in shown], cells, table.data, table.notes)


def _critic_rows(store: Store, run: RunRow) -> Iterator[dict[str, Any]]:
    sets = [row for row in store.revisions.select(run.id) if row.status == "done"]
    cuts, trained = {row.id: _cuts(store, row) for row in sets}, _trained(store, run)
    oracle = {row.iteration: cuts[row.id] for row in sets if row.critic == "oracle"}
    measured = {row.iteration: _cuts(store, row, judged=True) for row in sets if row.critic == "unrecoverable"}
    for row, settings in _set_settings(sets):
        names = {"run": run.key, "critic": row.critic, "iteration": row.iteration, "set": row.id, "settings": settings}
        label = " · ".join([row.critic, *setting_texts(settings)])
        agrees = agreement(cuts[row.id], oracle.get(row.iteration, {}))
        first = agreement(cuts[row.id], measured.get(row.iteration, {}))
        agreed = {"oracle": agrees, "unrecoverable": first}
        yield {**names, "label": label, **agreed, **row.metrics, "trained": trained.get(row.id)}


def _set_settings(sets: Sequence[RevisionSetRow]) -> Iterator[tuple[RevisionSetRow, dict[str, Any]]]:
    """Each set with the settings in which it differs from others of its critic and iteration."""
    for row in sets:
        alike = [other for other in sets if (other.critic, other.iteration) == (row.critic, row.iteration)]
        yield row, told_apart([each.config for each in alike])[alike.index(row)]


def set_labels(sets: Sequence[RevisionSetRow]) -> dict[int, str]:
    """What each revision set of a run is called, by its number: the critic, and what tells it from others of it."""
    return {row.id: " · ".join([row.critic, *setting_texts(settings)]) for row, settings in _set_settings(sets)}


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often critics cut the same attempts at the same step: ``shares[i][j]`` of the ``pairs[i][j]`` that both cut.

    A share is None where two sets have no pair in common, as those of different iterations.
    """

    sets: list[RevisionSetRow]
    labels: list[str]
    shares: list[list[float | None]]
    pairs: list[list[int]]


def critic_agreement(store: Store, run: RunRow) -> Agreement:
    """The agreement of all finished revision sets of a run with each other, set by set."""
    sets = [row for row in store.revisions.select(run.id) if row.status == "done"]
    cuts = [_cuts(store, row) for row in sets]
    shares = [[agreement(mine, other) for other in cuts] for mine in cuts]
    pairs = [[len(mine.keys() & other.keys()) for other in cuts] for mine in cuts]
    return Agreement(sets, list(set_labels(sets).values()), shares, pairs)


def _critic_cells(row: dict[str, Any]) -> Cells:
    verified, after = _verified(row), row["trained"]
    return [
        row["label"],
        str(row["iteration"]),
        f"{row['revisions']:,.0f}",
        "-" if verified is None else f"{100 * verified:.0f}%",
        f"{100 * row['judged'] / row['revisions']:.0f}%" if row["revisions"] else "-",
        f"{row['cut_mean']:.1f}",
        *("-" if row[name] is None else f"{100 * row[name]:.0f}%" for name in ("oracle", "unrecoverable")),
        f"{row['judge_tokens']:,.0f}",
        f"{row['judge_steps']:,.0f}" if row.get("judge_steps") else "-",
        "-" if after is None else interval(after),
        "-" if after is None else gain_text(after),
    ]


def _trained(store: Store, run: RunRow) -> dict[int, dict[str, Any]]:
    """By revision set: the evaluation of the model that was trained on it with the run's own recipe and settings."""
    found: dict[int, dict[str, Any]] = {}
    for row in iteration_rows(store, run):
        dataset, revisions = _origin(store, run, row["model"])
        if dataset and revisions and dataset.recipe == run.config["data"]["recipe"] and not row["settings"]:
            found.setdefault(revisions.id, row)
    return found


def _cuts(store: Store, row: RevisionSetRow, *, judged: bool = False) -> dict[tuple[int, int, int], int]:
    """The cut of each pair of a set, by tree and leaves; ``judged``: where a verdict was bad, not by default."""
    samples = [sample for sample in store.revisions.samples(row.id) if sample.kind != "good"]
    return {(s.tree_id, s.bad_leaf, s.good_leaf): s.cut for s in samples if s.judged or not judged}


def account_lines(store: Store, run: RunRow, *, quiet: bool = True) -> list[str]:
    """What went otherwise than it should in a run, a line a stage; without ``quiet``, what is common as well."""
    lines = []
    for (iteration, stage), counts in store.runs.accounts(run.id).items():
        told = describe(counts, quiet=quiet)
        where = f"iteration {iteration}, {stage}" if iteration else "baseline"
        lines += [f"{where}: {told}"] if told else []
    return lines
