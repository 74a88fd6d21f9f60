"""``agentr checkpoints``: the models that were trained."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Listing, Page, lists, shows, with_store
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.output import say, table_lines
from agentr_core.cli.reading import by_number_or_run, of_any_run, run_id, when
from agentr_core.errors import StoreError, UsageError

if TYPE_CHECKING:
    from agentr_core.store import CheckpointRow, Store

checkpoint_argument = click.argument("which", metavar="[CHECKPOINT]", default="last")


@click.group(cls=ListingGroup)
def checkpoints() -> None:
    """List and show trained models."""


@checkpoints.command("list")
@of_any_run
@lists()
def list_(store: Store, reference: str | None, iteration: int | None) -> Listing:
    """The checkpoints of a run, or of all runs."""
    found = store.checkpoints.select(run_id(store, reference, "checkpoints"), iteration=iteration)
    runs = {run.id: run.short for run in store.runs.select()}
    rows = [(_cells(row, runs[row.run_id]), _json(row)) for row in found]
    headers = ("checkpoint", "run", "iteration", "trainer", "dataset", "step", "complete", "made", "path")
    return Listing(headers, rows, empty="there are no checkpoints; train one with: agentr train")


def _cells(row: CheckpointRow, run: str) -> tuple[Any, ...]:
    state = "yes" if row.complete else "no"
    where = row.path if Path(row.path).exists() or not row.complete else f"{row.path} (gone)"
    return (row.id, run, row.iteration, row.trainer, row.dataset_id, row.step, state, when(row.created_at), where)


def _json(row: CheckpointRow) -> dict[str, Any]:
    return {**row.as_dict(), "on_disk": Path(row.path).exists()}


@checkpoints.command()
@checkpoint_argument
@shows
def show(store: Store, which: str) -> Page:
    """One checkpoint: a number of 'agentr checkpoints list', or a run (then its newest complete one)."""
    row = _find(store, which)
    data = _json(row)
    values = [(name, value) for name, value in data.items() if name != "metrics"]
    return Page(data, table_lines(("checkpoint", str(row.id)), [*values, *row.metrics.items()]))


@checkpoints.command("export")
@checkpoint_argument
@click.argument("folder", type=click.Path(path_type=Path))
@with_store
def export_(store: Store, which: str, folder: Path) -> None:
    """Copy a checkpoint's folder; FOLDER must not exist."""
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
    complete = partial(store.checkpoints.select, complete=True)
    missing = "no complete checkpoint; train one with: agentr train"
    return by_number_or_run(store, which, store.checkpoints.get, complete, "checkpoints", missing)
