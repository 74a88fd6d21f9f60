"""``agentr runs``: what was run, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page, exports, lists, shows
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.output import heading, table_lines
from agentr_core.cli.reading import percent, plugin_name, run_argument, took, when
from agentr_core.process.terminal import visible

if TYPE_CHECKING:
    from agentr_core.store import RunRow, Store

#: What ``store.runs.state`` may say.
STATES = ("running", "done", "failed", "interrupted", "killed")


@click.group(cls=ListingGroup)
def runs() -> None:
    """List and show runs."""


@runs.command("list")
@click.option("--status", type=click.Choice(STATES), help="Only in this state.")
@click.option("--env", metavar="NAME", help="Only of this environment.")
@lists()
def list_(store: Store, status: str | None, env: str | None) -> Listing:
    """All runs, newest first."""
    found = store.runs.select()
    if env is not None:
        found = [run for run in found if env in (plugin_name(run, "env") or "").split(",")]
    found = [run for run in found if status in (None, store.runs.state(run))]
    rows = [(_cells(store, run), {**run.as_dict(), "alive": store.runs.is_alive(run)}) for run in found]
    headers: tuple[str, ...] = ("run", "name", "status", "success", "env", "model", "searcher", "critic", "trainer")
    headers = (*headers, "command", "started", "took")
    return Listing(headers, rows, empty="there are no such runs; start one with: agentr run")


def _cells(store: Store, run: RunRow) -> tuple[Any, ...]:
    from agentr_core.runs.summary import run_summary

    known = run_summary(store, run)
    plugins = (known["searcher"], known["critic"], known["trainer"])
    times = (when(run.created_at), took(run.created_at, run.finished_at))
    made_with = (",".join(known["envs"]) or None, known["model"], *plugins)
    return (run.short, run.name, store.runs.state(run), percent(known["success"]), *made_with, run.command, *times)


@runs.command()
@run_argument
@shows
def show(store: Store, reference: str) -> Page:
    """One run: its stages, what they came to, and with which plugins."""
    run = store.runs.find(reference)
    stopped = run.status in ("interrupted", "failed") or store.runs.state(run) == "killed"
    return Page(_whole(store, run), _lines(store, run), f"go on with: agentr resume {run.short}" if stopped else "")


@runs.command("export")
@run_argument
@exports
def export_(store: Store, reference: str) -> Export:
    """All of a run but its trees and conversations, as one line of JSON."""
    run = store.runs.find(reference)
    whole = _whole(store, run)
    whole["metrics"] = [row.as_dict() for row in store.runs.metrics(run.id)]
    return Export([whole], "run")


def _lines(store: Store, run: RunRow) -> Iterator[str]:
    from agentr_core.runs.costs import costs
    from agentr_core.runs.report import account_lines, iterations
    from agentr_core.runs.stages import stages

    yield from _head(store, run)
    for table in (stages(store, run), iterations(store, run), costs(store, run)):
        if table.rows:
            yield ""
            yield from table_lines(table.columns, table.rows)
    if odd := [*map(visible, account_lines(store, run, quiet=False))]:
        yield from ("", *odd)
    plugins = store.runs.plugins(run.id)
    cells = [(p.kind, p.name, f"{p.distribution} {p.version}", _options(p.config)) for p in plugins]
    yield ""
    yield from table_lines(("kind", "plugin", "from", "options"), cells)


def _head(store: Store, run: RunRow) -> Iterator[str]:
    name = f" '{run.name}'" if run.name else ""
    yield heading(f"run {run.short}{name}  {store.runs.state(run)}")
    lines = [
        ("key", run.key),
        ("command", f"agentr {run.command}, seed {run.seed}, agentr {run.agentr_version}"),
        ("started", f"{when(run.created_at)} on {run.host}, process {run.pid}"),
        ("took", took(run.created_at, run.finished_at)),
        ("error", run.error),
    ]
    for label, value in lines:
        if value:
            yield f"  {label:<8} {visible(value)}"


def _options(config: Any) -> str:
    return " ".join(f"{key}={value}" for key, value in config.items())


def _whole(store: Store, run: RunRow) -> dict[str, Any]:
    from agentr_core.runs.costs import costs
    from agentr_core.runs.stages import stages

    return {
        **run.as_dict(),
        "alive": store.runs.is_alive(run),
        "plugins": [row.as_dict() for row in store.runs.plugins(run.id)],
        "stages": stages(store, run).data,
        "accounts": [
            {"iteration": iteration, "stage": stage, **counts}
            for (iteration, stage), counts in store.runs.accounts(run.id).items()
        ],
        "environments": costs(store, run).data,
        "trees": dict(sorted(Counter(row.status for row in store.trees.select(run.id)).items())),
        "revision_sets": [row.as_dict() for row in store.revisions.select(run.id)],
        "datasets": [row.as_dict() for row in store.datasets.select(run.id)],
        "checkpoints": [row.as_dict() for row in store.checkpoints.select(run.id)],
        "evals": [row.as_dict() for row in store.evaluations.select(run.id)],
    }
