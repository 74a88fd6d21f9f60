"""``agentr runs``: what was run, and what came of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.cli.reading import (
    export,
    limit_option,
    listing,
    output_option,
    percent,
    plugin_name,
    reading,
    run_argument,
    took,
    when,
)

if TYPE_CHECKING:
    from agentr_core.store import RunRow, RunStatus, StageRow, Store

#: Which metrics of a stage are shown, in this order.
_SHOWN = {
    "search": ("trees", "failed", "nodes", "solved"),
    "revise": ("pairs", "revisions", "verified", "good"),
    "train": ("examples", "loss", "steps"),
    "evaluate": ("success", "reward", "revision_test"),
}


@click.group(cls=ListingGroup)
def runs() -> None:
    """List and show runs."""


@runs.command("list")
@click.option("--status", type=click.Choice(["running", "done", "failed", "interrupted"]), help="Only in this state.")
@click.option("--env", metavar="NAME", help="Only of this environment.")
@limit_option
@db_option
@json_option
def list_(status: RunStatus | None, env: str | None, limit: int | None, db: str, json_: bool) -> None:
    """All runs, newest first."""
    with reading(db) as store:
        found = [run for run in store.runs.select(status=status) if env in (None, plugin_name(run, "env"))]
        rows = [(_cells(store, run), {**run.as_dict(), "alive": run.is_alive}) for run in found]
    headers = ("run", "name", "command", "status", "env", "searcher", "critic", "trainer", "success", "started", "took")
    listing(headers, rows, json_=json_, limit=limit, empty="there are no such runs; start one with: agentr run")


def _cells(store: Store, run: RunRow) -> tuple[Any, ...]:
    plugins = (plugin_name(run, kind) for kind in ("env", "searcher", "critic", "trainer"))
    measured = [row.metrics.get("success") for row in store.evaluations.select(run.id, kind="plain") if row.metrics]
    times = (when(run.created_at), took(run.created_at, run.finished_at))
    return (run.short, run.name, run.command, state(run), *plugins, percent(measured[-1] if measured else None), *times)


def state(run: RunRow) -> str:
    """The status of a run; ``killed`` where its process is seen to be gone without having said how it ended."""
    return "killed" if run.status == "running" and run.is_alive is False else run.status


@runs.command()
@run_argument
@db_option
@json_option
def show(reference: str, db: str, json_: bool) -> None:
    """One run: its stages, what they came to, and with which plugins."""
    from agentr_core.runs.report import iterations

    with reading(db) as store:
        run = store.runs.find(reference)
        whole = _whole(store, run)
        table = iterations(store, run)
        stages, plugins = store.runs.stages(run.id), store.runs.plugins(run.id)
    if json_:
        print_json(whole)
        return
    _print_head(run)
    if stages:
        click.echo()
        print_table(("iteration", "stage", "status", "took", "result"), [_stage_cells(stage) for stage in stages])
    if table.rows:
        click.echo()
        print_table(table.columns, table.rows)
    click.echo()
    print_table(
        ("kind", "plugin", "from", "options"),
        [(p.kind, p.name, f"{p.distribution} {p.version}", _options(p.config)) for p in plugins],
    )
    if run.status in ("interrupted", "failed") or state(run) == "killed":
        say(f"go on with: agentr resume {run.short}")


@runs.command("export")
@run_argument
@output_option
@db_option
def export_(reference: str, output: str | None, db: str) -> None:
    """All of a run but its trees and conversations, as one line of JSON."""
    with reading(db) as store:
        run = store.runs.find(reference)
        whole = _whole(store, run)
        whole["metrics"] = [row.as_dict() for row in store.runs.metrics(run.id)]
        export([whole], output, "run")


def _print_head(run: RunRow) -> None:
    name = f" '{run.name}'" if run.name else ""
    click.echo(click.style(f"run {run.short}{name}  {state(run)}", bold=True))
    lines = [
        ("key", run.key),
        ("command", f"agentr {run.command}, seed {run.seed}, agentr {run.agentr_version}"),
        ("started", f"{when(run.created_at)} on {run.host}, process {run.pid}"),
        ("took", took(run.created_at, run.finished_at)),
        ("error", run.error),
    ]
    for label, value in lines:
        if value:
            click.echo(f"  {label:<8} {value}")


def _stage_cells(stage: StageRow) -> tuple[Any, ...]:
    names = [name for name in _SHOWN.get(stage.stage, tuple(stage.metrics)[:4]) if name in stage.metrics]
    shown = " · ".join(f"{_value(name, stage.metrics[name])} {name.replace('_', ' ')}" for name in names)
    return (stage.iteration or "baseline", stage.stage, stage.status, took(stage.started_at, stage.finished_at), shown)


def _value(name: str, value: Any) -> str:
    if name in ("success", "revision_test"):
        return str(percent(value))
    return f"{value:,.4g}" if isinstance(value, int | float) else str(value)


def _options(config: Any) -> str:
    return " ".join(f"{key}={value}" for key, value in config.items())


def _whole(store: Store, run: RunRow) -> dict[str, Any]:
    return {
        **run.as_dict(),
        "alive": run.is_alive,
        "plugins": [row.as_dict() for row in store.runs.plugins(run.id)],
        "stages": [row.as_dict() for row in store.runs.stages(run.id)],
        "trees": dict(sorted(Counter(row.status for row in store.trees.select(run.id)).items())),
        "revision_sets": [row.as_dict() for row in store.revisions.select(run.id)],
        "datasets": [row.as_dict() for row in store.datasets.select(run.id)],
        "checkpoints": [row.as_dict() for row in store.checkpoints.select(run.id)],
        "evals": [row.as_dict() for row in store.evaluations.select(run.id)],
    }
