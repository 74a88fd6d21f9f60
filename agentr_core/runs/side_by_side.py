"""Several runs side by side: what each came to, what its search took, and what several seeds say together.

Of runs with several environments each row is followed by one for each environment. No printing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from agentr_core.evaluate.metrics import Z95, interval, mean, standard_error
from agentr_core.hashing import canonical_json
from agentr_core.runs.by_environment import Successes, paired, successes
from agentr_core.runs.labels import environment_names, setting_texts, told_apart
from agentr_core.runs.report import SUCCESS_NOTE, Cells, Table, gain_text, iteration_rows, points_text, with_pass_at
from agentr_core.store import RunRow, Store, TreeRow

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
    return [_runs_table([part for row in rows for part in _parts(row)]), *([_seeds_table(summary)] if summary else [])]


def _run_rows(store: Store, chosen: Sequence[RunRow]) -> list[dict[str, Any]]:
    """Each run's last evaluated model against its baseline and against the first run, and the costs of its search."""
    settings = told_apart([_compared(run.config) for run in chosen])
    rows, first = [], Successes()
    for run, differs in zip(chosen, settings, strict=True):
        names = [environment_names(run.config), *(run.config[kind]["name"] for kind in ("searcher", "critic"))]
        label = " · ".join([*names, *setting_texts(_unnamed(differs))])
        row = {"run": run.key, "name": run.name or run.short, "seed": run.seed, "label": label, "critic": names[2]}
        trees = [tree for tree in store.trees.select(run.id) if tree.status == "done"]
        row |= {"group": canonical_json(_compared(run.config)), **_search_costs(trees)}
        row["envs"] = names[0].split(",")
        found = [each for each in iteration_rows(store, run) if each["own"]] or iteration_rows(store, run)
        row["parts"] = _worlds(row["envs"], trees, found)
        if found:
            row |= {**found[-1], "label": label, "baseline": found[0]["success"]}
            ours = successes(store, store.evaluations.get(row["eval"]))
            if first:
                _against(row, ours, first)
            first = first or ours
        rows.append(row)
    return rows


def _worlds(
    envs: Sequence[str], trees: Sequence[TreeRow], found: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """What a run took and came to in each of several environments; nothing where it has one."""
    parts = {env: _search_costs([tree for tree in trees if tree.env == env]) for env in envs if len(envs) > 1}
    for env in parts if found else ():
        first, last = (row.get("environments", {}).get(env, {}) for row in (found[0], found[-1]))
        parts[env] |= {**last, "baseline": first.get("success")}
    return parts


def _against(row: dict[str, Any], ours: Successes, first: Successes) -> None:
    """Note the difference to the first run, over all environments that both have and in each."""
    row["against_first"], row["against_first_error"], shared = paired(ours, first)
    row["shared_tasks"] = sum(len(ours[name].keys() & first[name].keys()) for name in shared)
    for env, (difference, error) in shared.items():
        if env in row["parts"]:
            told = {"against_first": difference, "against_first_error": error}
            row["parts"][env] |= {**told, "shared_tasks": len(ours[env].keys() & first[env].keys())}


def _parts(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A row, and below it one for each environment where there are several."""
    yield {key: value for key, value in row.items() if key not in ("parts", "label")} | {"label": _whole_label(row)}
    shared = {key: row[key] for key in ("run", "seed", "iteration") if key in row}
    for env, part in row["parts"].items():
        yield {**shared, **part, "name": "", "environment": env, "label": f"  {env}"}


def _whole_label(row: Mapping[str, Any]) -> str:
    return f"{row['label']} · mean of {len(row['parts'])}" if row["parts"] else str(row["label"])


def _compared(config: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was asked to compute; a setting that no agentr had when it was stored has its default."""
    from pydantic import ValidationError

    from agentr_core.settings.run_config import RunConfig

    stored = {key: value for key, value in config.items() if key in RunConfig.model_fields}
    with suppress(ValidationError):  # what is refused by now was allowed then, and is compared as it stands
        stored = RunConfig.model_validate(stored).model_dump(mode="json")
    return {key: value for key, value in stored.items() if key not in _ASIDE}


def _unnamed(differs: Mapping[str, Any]) -> dict[str, Any]:
    """Without what every label says: environment, searcher and critic by name."""
    named = ("env.name", "searcher.name", "critic.name")
    return {key: value for key, value in differs.items() if key not in named}


def _search_costs(trees: Sequence[TreeRow]) -> dict[str, Any]:
    """What some trees came to and took."""
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
    cells = [row["name"], row["label"], "" if "environment" in row else str(row["seed"])]
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
    first, found = next(iter(groups.values())), list[dict[str, Any]]()
    for group in groups.values():
        found.append({**_seed_row(group, _alike(group, first)), "label": _whole_label(group[0])})
        for env in group[0]["parts"]:
            part = _in_world(group, env)
            theirs = part if group is first else _in_world(first, env)
            found.append({**_seed_row(part, theirs), "environment": env, "label": f"  {env}"})
    return found


def _alike(group: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What of the first group can stand beside another: a mean is of the same environments, or it is of others."""
    if group[0]["envs"] == first[0]["envs"]:
        return first
    return _in_world(first, group[0]["envs"][0]) if len(group[0]["envs"]) == 1 else []


def _in_world(rows: Sequence[Mapping[str, Any]], env: str) -> list[Mapping[str, Any]]:
    """What runs came to in one environment; of runs that have no other it is all of them."""
    named = [(row, row["parts"][env]) for row in rows if env in row["parts"]]
    named += [(row, row) for row in rows if row["envs"] == [env]]
    return [{**part, "seed": row["seed"], "name": row["name"], "label": env} for row, part in named]


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
    whole = "environment" not in row
    return [
        "" if not whole else row["names"][0] + (f" and {len(row['names']) - 1} more" if row["names"][1:] else ""),
        row["label"],
        ", ".join(map(str, row["seeds"])) if whole else "",
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
