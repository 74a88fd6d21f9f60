"""``agentr datasets``: training conversations, with what is trained in colour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page, lists, shows, with_store
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.output import heading, say
from agentr_core.cli.reading import by_number_or_run, messages_json, of_any_run, output_option, run_id
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.records import Message
    from agentr_core.store import DatasetRow, Store

_FORMATS = "How to write: JSON lines, JSON lines of prompt and completion as TRL trains them, or Parquet."
dataset_argument = click.argument("which", metavar="[DATASET]", default="last")


@click.group(cls=ListingGroup)
def datasets() -> None:
    """List, show and export training conversations."""


@datasets.command("list")
@of_any_run
@lists()
def list_(store: Store, reference: str | None, iteration: int | None) -> Listing:
    """The datasets of a run, or of all runs."""
    found = store.datasets.select(run_id(store, reference, "datasets"), iteration=iteration)
    rows = [(_cells(store, row), {**row.as_dict(), "kinds": _kinds(store, row)}) for row in found]
    headers = ("dataset", "run", "iteration", "name", "recipe", "examples", "of these", "content")
    return Listing(headers, rows, empty="there are no datasets; make one with: agentr train")


def _cells(store: Store, row: DatasetRow) -> tuple[Any, ...]:
    kinds = ", ".join(f"{count} {kind}" for kind, count in _kinds(store, row).items())
    run = store.runs.get(row.run_id).short
    return (row.id, run, row.iteration, row.name, row.recipe, row.n_examples, kinds, row.content_hash[:8])


def _kinds(store: Store, row: DatasetRow) -> dict[str, int]:
    return dict(sorted(Counter(item.kind for item in store.datasets.items(row.id)).items()))


@datasets.command()
@dataset_argument
@click.argument("position", type=click.IntRange(1), default=1)
@shows
def show(store: Store, which: str, position: int) -> Page:
    """One conversation of a dataset; trained text is green and has a bar at its left.

    DATASET is a number of 'agentr datasets list', or a run (then its newest one); POSITION counts from 1.
    """
    from agentr_core.cli.conversations import turns

    row = _find(store, which)
    items = store.datasets.items(row.id)
    if position > len(items):
        raise UsageError(f"dataset {row.id} has {len(items)} conversations (got {position})")
    item = items[position - 1]
    messages = store.conversations.get(item.conversation)
    origin = "".join(f" · {key} {value}" for key, value in item.origin.items())
    title = f"dataset {row.id} '{row.name}', {position} of {len(items)}  {item.kind}{origin}"
    data = {**item.as_dict(), "messages": messages_json(messages)}
    return Page(data, (heading(title), *turns(messages)), _trained(messages))


def _trained(messages: Sequence[Message]) -> str:
    trained = [message for message in messages if message.train]
    characters = sum(len(message.content) for message in trained)
    return f"{len(trained)} of {len(messages)} turns are trained, {characters:,} characters"


@datasets.command("export")
@dataset_argument
@click.option("--format", "format_", type=click.Choice(["jsonl", "trl", "parquet"]), default="jsonl", help=_FORMATS)
@output_option
@with_store
def export_(store: Store, which: str, format_: str, output: str | None) -> None:
    """A dataset for other trainers: messages with flags on each, or TRL's prompt and completion.

    Who reads which flag: 'train' Axolotl (as message_field_training), 'loss' ms-swift, 'weight' OpenAI. TRL reads none
    and would train every turn: give it --format trl, a row for each trained turn.
    """
    from agentr_core.train.export import example_row, prompt_completion_rows, write_rows

    examples = store.datasets.load(_find(store, which).id).examples
    if format_ == "jsonl":
        Export(map(example_row, examples), "conversations").write(output)
        return
    if format_ == "trl":
        Export((row for example in examples for row in prompt_completion_rows(example)), "rows").write(output)
        return
    if output is None:
        raise UsageError("parquet is not text: name a file with --output")
    count = write_rows(map(example_row, examples), Path(output), "parquet")
    say(f"{count:,} conversations written to {output}")


def _find(store: Store, which: str) -> DatasetRow:
    missing = "no dataset yet; make one with: agentr train"
    return by_number_or_run(store, which, store.datasets.get, store.datasets.select, "datasets", missing)
