"""``agentr datasets``: training conversations, with what is trained in colour."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json, say
from agentr_core.cli.reading import (
    export,
    iteration_option,
    limit_option,
    listing,
    messages_json,
    output_option,
    reading,
)
from agentr_core.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from agentr_core.store import DatasetRow, Store

dataset_argument = click.argument("which", metavar="[DATASET]", default="last")


@click.group(cls=ListingGroup)
def datasets() -> None:
    """List, show and export training conversations."""


@datasets.command("list")
@click.argument("reference", metavar="[RUN]", required=False)
@iteration_option
@limit_option
@db_option
@json_option
def list_(reference: str | None, iteration: int | None, limit: int | None, db: str, json_: bool) -> None:
    """The datasets of a run, or of all runs."""
    with reading(db) as store:
        run = store.runs.find(reference) if reference else None
        found = store.datasets.select(None if run is None else run.id, iteration=iteration)
        rows = [(_cells(store, row), {**row.as_dict(), "kinds": _kinds(store, row)}) for row in found]
    headers = ("dataset", "run", "iteration", "name", "recipe", "examples", "of these", "content")
    listing(headers, rows, json_=json_, limit=limit, empty="there are no datasets; make one with: agentr train")


def _cells(store: Store, row: DatasetRow) -> tuple[Any, ...]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in _kinds(store, row).items())
    run = store.runs.get(row.run_id).short
    return (row.id, run, row.iteration, row.name, row.recipe, row.n_examples, kinds, row.content_hash[:8])


def _kinds(store: Store, row: DatasetRow) -> dict[str, int]:
    return dict(sorted(Counter(item.kind for item in store.datasets.items(row.id)).items()))


@datasets.command()
@dataset_argument
@click.argument("position", type=click.IntRange(1), default=1)
@db_option
@json_option
def show(which: str, position: int, db: str, json_: bool) -> None:
    """One conversation of a dataset; trained text is green and has a bar at its left.

    DATASET is a number of 'agentr datasets list', or a run (then its newest one); POSITION counts from 1.
    """
    from agentr_core.cli.conversations import turns

    with reading(db) as store:
        row = _find(store, which)
        items = store.datasets.items(row.id)
        if position > len(items):
            raise UsageError(f"dataset {row.id} has {len(items)} conversations (got {position})")
        item = items[position - 1]
        messages = store.conversations.get(item.conversation)
    if json_:
        print_json({**item.as_dict(), "messages": messages_json(messages)})
        return
    origin = " · ".join(f"{key} {value}" for key, value in item.origin.items())
    title = f"dataset {row.id} '{row.name}', {position} of {len(items)}  {item.kind}{' · ' if origin else ''}{origin}"
    click.echo(click.style(title, bold=True))
    for line in turns(messages):
        click.echo(line)
    trained = [message for message in messages if message.train]
    say(f"{len(trained)} of {len(messages)} turns are trained, {sum(len(m.content) for m in trained):,} characters")


@datasets.command("export")
@dataset_argument
@click.option("--format", "format_", type=click.Choice(["jsonl", "parquet"]), default="jsonl", help="How to write.")
@output_option
@db_option
def export_(which: str, format_: str, output: str | None, db: str) -> None:
    """A dataset for other trainers: messages with the flags 'train', 'weight' and 'loss' on each."""
    from agentr_core.train.export import example_row, write_rows

    with reading(db) as store:
        examples = store.datasets.load(_find(store, which).id).examples
    if format_ == "jsonl":
        export(map(example_row, examples), output, "conversations")
        return
    if output is None:
        raise UsageError("parquet is not text: name a file with --output")
    count = write_rows(map(example_row, examples), Path(output), "parquet")
    say(f"{count:,} conversations written to {output}")


def _find(store: Store, which: str) -> DatasetRow:
    if which.isdecimal() and len(which) < 20:
        return store.datasets.get(int(which))
    run = store.runs.find(which)
    found = store.datasets.select(run.id)
    if not found:
        raise NothingToDo(f"run {run.short} has no dataset yet; make one with: agentr train --run {run.short}")
    return found[-1]
