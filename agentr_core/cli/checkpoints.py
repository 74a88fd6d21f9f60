"""``agentr checkpoints``: the models that were trained."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.cli.reading import iteration_option, limit_option, listing, reading, when
from agentr_core.errors import NothingToDo, StoreError, UsageError

if TYPE_CHECKING:
    from agentr_core.store import CheckpointRow, Store

checkpoint_argument = click.argument("which", metavar="[CHECKPOINT]", default="last")


@click.group(cls=ListingGroup)
def checkpoints() -> None:
    """List and show trained models."""


@checkpoints.command("list")
@click.argument("reference", metavar="[RUN]", required=False)
@iteration_option
@limit_option
@db_option
@json_option
def list_(reference: str | None, iteration: int | None, limit: int | None, db: str, json_: bool) -> None:
    """The checkpoints of a run, or of all runs."""
    with reading(db) as store:
        run = store.runs.find(reference) if reference else None
        found = store.checkpoints.select(None if run is None else run.id, iteration=iteration)
        rows = [(_cells(store, row), _json(row)) for row in found]
    headers = ("checkpoint", "run", "iteration", "trainer", "dataset", "step", "complete", "made", "path")
    listing(headers, rows, json_=json_, limit=limit, empty="there are no checkpoints; train one with: agentr train")


def _cells(store: Store, row: CheckpointRow) -> tuple[Any, ...]:
    run = store.runs.get(row.run_id).short
    state = "yes" if row.complete else "no"
    where = row.path if Path(row.path).exists() or not row.complete else f"{row.path} (gone)"
    return (row.id, run, row.iteration, row.trainer, row.dataset_id, row.step, state, when(row.created_at), where)


def _json(row: CheckpointRow) -> dict[str, Any]:
    return {**row.as_dict(), "on_disk": Path(row.path).exists()}


@checkpoints.command()
@checkpoint_argument
@db_option
@json_option
def show(which: str, db: str, json_: bool) -> None:
    """One checkpoint: a number of 'agentr checkpoints list', or a run (then its newest complete one)."""
    with reading(db) as store:
        row = _find(store, which)
    if json_:
        print_json(_json(row))
        return
    values = {name: value for name, value in _json(row).items() if name != "metrics"}
    print_table(("checkpoint", str(row.id)), [*values.items(), *row.metrics.items()])


@checkpoints.command("export")
@checkpoint_argument
@click.argument("folder", type=click.Path(path_type=Path))
@db_option
def export_(which: str, folder: Path, db: str) -> None:
    """Copy a checkpoint's folder; FOLDER must not exist."""
    with reading(db) as store:
        row = _find(store, which)
    source = Path(row.path)
    if not row.complete:
        raise UsageError(f"checkpoint {row.id} is not complete; go on training with: agentr resume")
    if not source.is_dir():
        raise StoreError(f"the folder of checkpoint {row.id} is gone: {source}")
    if folder.exists():
        raise UsageError(f"{folder} exists already; name a folder that does not")
    shutil.copytree(source, folder)
    say(f"checkpoint {row.id} copied to {folder}; use it with: --model {folder}")


def _find(store: Store, which: str) -> CheckpointRow:
    if which.isdecimal() and len(which) < 20:
        return store.checkpoints.get(int(which))
    run = store.runs.find(which)
    found = store.checkpoints.select(run.id, complete=True)
    if not found:
        raise NothingToDo(f"run {run.short} has no complete checkpoint; train one with: agentr train --run {run.short}")
    return found[-1]
