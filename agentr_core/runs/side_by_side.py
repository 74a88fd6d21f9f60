"""Several runs side by side: what each came to, what its search took, and what several seeds say together.

No printing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from pydantic import ValidationError

from agentr_core.evaluate.metrics import Z95, interval, mean, standard_error
from agentr_core.hashing import canonical_json
from agentr_core.runs.by_environment import Successes, paired, successes
from agentr_core.runs.labels import environment_names, setting_texts, told_apart
from agentr_core.runs.report import SUCCESS_NOTE, Cells, Table, gain_text, iteration_rows, points_text, with_pass_at
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import RunRow, Store

SEARCH_NOTE = "samples, tokens (prompt and answers) and seconds are means a tree; in its seconds other trees grow too"
SEEDS_NOTE = "(95%): of the mean over seeds, Student's t; differences are paired by seed, in points"
#: Settings that change nothing of what a run measures, or that seeds may differ in.
_ASIDE = ("seed", "stages", "out", "plugins", "concurrency", "revise_unread")
#: The 97.5% quantile of Student's t for 1 to 10 degrees of freedom.
_T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


def t_quantile(degrees: int) -> float:
    """The 97.5% quantile of Student's t; beyond 10 degrees by an expansion, off by less than 0.003."""
    if degrees <= len(_T975):
        return _T975[degrees - 1]
    z = Z95
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)


def over_seeds(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean over seeds and half its 95% interval (Student's t); None of fewer than two."""
    if len(values) < 2:
        return mean(values), None
    return mean(values), t_quantile(len(values) - 1) * standard_error(values)


def side_by_side(store: Store, chosen: Sequence[RunRow]) -> list[Table]:
    """One table with a row for each run; and one for each group of runs that differ in nothing but the seed."""
    rows = _run_rows(store, chosen)
    summary = _seed_rows(rows)
    return [_runs_table(rows), *([_seeds_table(summary)] if summary else [])]


def _run_rows(store: Store, chosen: Sequence[RunRow]) -> list[dict[str, Any]]:
    """Each run's last evaluated model against its baseline and against the first run, and the costs of its search."""
    settings = told_apart([_compared(run.config) for run in chosen])
    rows, first = [], Successes()
    for run, differs in zip(chosen, settings, strict=True):
        names = [environment_names(run.config), *(run.config[kind]["name"] for kind in ("searcher", "critic"))]
        label = " · ".join([*names, *setting_texts(_unnamed(differs))])
        row = {"run": run.key, "name": run.name or run.short, "seed": run.seed, "label": label, "critic": names[2]}
        row |= {"group": canonical_json(_compared(run.config)), **_search_costs(store, run)}
        found = [each for each in iteration_rows(store, run) if each["own"]] or iteration_rows(store, run)
        if found:
            row |= {**found[-1], "label": label, "baseline": found[0]["success"]}
            ours = successes(store, store.evaluations.get(row["eval"]))
            if first:
                row["against_first"], row["against_first_error"], shared = paired(ours, first)
                row["shared_tasks"] = sum(len(ours[name].keys() & first[name].keys()) for name in shared)
            first = first or ours
        rows.append(row)
    return rows


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was asked to compute; a setting that no agentr had when it was stored has its default."""
    stored = {key: value for key, value in config.items() if key in RunConfig.model_fields}
    with suppress(ValidationError):  # what is refused by now was allowed then, and is compared as it stands
        stored = RunConfig.model_validate(stored).model_dump(mode="json")
    return {key: value for key, value in stored.items() if key not in _ASIDE}


def _unnamed(differs: Mapping[str, Any]) -> dict[str, Any]:
    """Without what every label says: environment, searcher and critic by name."""
    named = ("env.name", "searcher.name", "critic.name")
    return {key: value for key, value in differs.items() if key not in named}


def _search_costs(store: Store, run: RunRow) -> dict[str, Any]:
    trees = [row for row in store.trees.select(run.id) if row.status == "done"]
    if not trees:
        return {"trees": 0}
    stats = [row.stats for row in trees]
    tokens = [each.get("prompt_tokens", 0) + each.get("completion_tokens", 0) for each in stats]
    return {
        "trees": len(trees),
        "solved": sum((row.best_reward or 0.0) >= 1.0 for row in trees),
        "nodes": sum(row.n_nodes for row in trees),
        "tree_samples": mean([each.get("samples", 0) for each in stats]),
        "tree_tokens": mean(tokens),
        "tree_seconds": mean([row.elapsed_seconds or 0.0 for row in trees]),
    }


def _runs_table(rows: list[dict[str, Any]]) -> Table:
    columns = ["run", "env · searcher · critic", "seed", "iterations", "baseline", "success (95%)"]
    columns += ["gain (95%)", "against first run (95%)", "revision test"]
    columns += ["trees", "solved", "samples a tree", "tokens a tree", "seconds a tree"]
    data = [{key: value for key, value in row.items() if key != "group"} for row in rows]
    table = Table(columns, [_run_cells(row) for row in rows], data, [SUCCESS_NOTE, SEARCH_NOTE])
    return with_pass_at(table, at=6)


def _run_cells(row: Mapping[str, Any]) -> Cells:
    cells = [row["name"], row["label"], str(row["seed"])]
    if "success" in row:
        against = "-"
        if row.get("shared_tasks"):
            against = points_text(row.get("against_first"), row.get("against_first_error"))
        measured = [str(row["iteration"]), _percent(row["baseline"]), interval(row), gain_text(dict(row)), against]
        cells += [*measured, _percent(row.get("revision_test"))]
    else:
        cells += ["-", "-", "not evaluated", "-", "-", "-"]
    return [*cells, *_search_cells(row)]


def _search_cells(row: Mapping[str, Any]) -> Cells:
    if not row["trees"]:
        return ["-"] * 5
    solved = f"{row['solved']} ({100 * row['solved'] / row['trees']:.0f}%)"
    means = [f"{row['tree_samples']:,.0f}", f"{row['tree_tokens']:,.0f}", f"{row['tree_seconds']:,.1f}"]
    return [str(row["trees"]), solved, *means]


def _seed_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Groups of evaluated runs that differ in the seed alone, where any has two seeds; against the first group."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if "success" in row:
            groups.setdefault(row["group"], []).append(row)
    if all(len({row["seed"] for row in group}) < 2 for group in groups.values()):
        return []
    first = next(iter(groups.values()))
    return [_seed_row(group, first) for group in groups.values()]


def _seed_row(group: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean and half interval over seeds of what counts; and of the difference to the first group, seed by seed."""
    summary: dict[str, Any] = {"seeds": [row["seed"] for row in group], "names": [row["name"] for row in group]}
    summary["label"] = group[0]["label"]
    columns = {
        "baseline": [row["baseline"] for row in group],
        "success": [row["success"] for row in group],
        "gain": [row["gain"] for row in group if "gain" in row],
        "revision_test": [row["revision_test"] for row in group if "revision_test" in row],
        "solved": [row["solved"] / row["trees"] for row in group if row["trees"]],
        "tree_tokens": [row["tree_tokens"] for row in group if row["trees"]],
    }
    if group is not first:
        theirs = {row["seed"]: row["success"] for row in first}
        columns["against_first"] = [row["success"] - theirs[row["seed"]] for row in group if row["seed"] in theirs]
    for name, values in columns.items():
        if values:
            summary[name], summary[f"{name}_half"] = over_seeds(values)
    return summary


def _seeds_table(rows: list[dict[str, Any]]) -> Table:
    columns = ["runs", "env · searcher · critic", "seeds", "baseline", "success (95%)", "gain (95%)", "revision test"]
    columns += ["solved", "tokens a tree", *(["against first (95%)"] if len(rows) > 1 else [])]
    return Table(columns, [_seed_cells(row)[: len(columns)] for row in rows], rows, [SEEDS_NOTE])


def _seed_cells(row: Mapping[str, Any]) -> Cells:
    tokens = f"{row['tree_tokens']:,.0f}" if "tree_tokens" in row else "-"
    return [
        row["names"][0] + (f" and {len(row['names']) - 1} more" if row["names"][1:] else ""),
        row["label"],
        ", ".join(map(str, row["seeds"])),
        _percent(row["baseline"]),
        _mean_interval(row["success"], row["success_half"]),
        points_text(row.get("gain"), row.get("gain_half"), half=True),
        _percent(row.get("revision_test")),
        _percent(row.get("solved")),
        tokens,
        points_text(row.get("against_first"), row.get("against_first_half"), half=True),
    ]


def _mean_interval(value: float, half: float | None) -> str:
    if half is None:
        return _percent(value)
    low, high = max(0.0, value - half), min(1.0, value + half)
    return f"{100 * value:.1f}% ({100 * low:.1f}-{100 * high:.1f})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def flat_rows(table: Table) -> Iterator[dict[str, Any]]:
    """The rows of a table as plain values, for a spreadsheet: no tables within them."""
    for row in table.data:
        yield {key: value for key, value in row.items() if not isinstance(value, Mapping | list)}
