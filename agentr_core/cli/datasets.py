"""``agentr datasets``: conversations, preferences, actions and values to train on, with what counts in colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page, lists, shows, with_store
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import db_option, environment_options, json_option, plugin_options
from agentr_core.cli.output import heading, say
from agentr_core.cli.reading import by_number_or_run, messages_json, of_any_run, output_option, run_id
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.store import DatasetRow, Store
    from agentr_core.train.demonstration_tasks import Format
    from agentr_core.turns import Message

_FORMATS = "How to write: JSON lines, JSON lines in the columns that TRL's trainers read, or Parquet."
dataset_argument = click.argument("which", metavar="[DATASET]", default="last")


@click.group(cls=ListingGroup)
def datasets() -> None:
    """List, show and export what was trained on; import training conversations."""


@datasets.command("list")
@of_any_run
@lists()
def list_(store: Store, reference: str | None, iteration: int | None) -> Listing:
    """The datasets of a run, or of all runs."""
    found = store.datasets.select(run_id(store, reference, "datasets"), iteration=iteration)
    runs = {run.id: run.short for run in store.runs.select()}
    kinds = {row.id: store.pages.dataset_kinds(row) for row in found}
    rows = [(_cells(row, runs[row.run_id], kinds[row.id]), {**row.as_dict(), "kinds": kinds[row.id]}) for row in found]
    headers = ("dataset", "run", "iteration", "name", "recipe", "rows", "of these", "content")
    return Listing(headers, rows, empty="there are no datasets; make one with: agentr train")


def _cells(row: DatasetRow, run: str, kinds: Mapping[str, int]) -> tuple[Any, ...]:
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    return (row.id, run, row.iteration, row.name, row.recipe, row.n_examples, told, row.content_hash[:8])


@datasets.command()
@dataset_argument
@click.argument("position", type=click.IntRange(1), default=1)
@shows
def show(store: Store, which: str, position: int) -> Page:
    """One row of a dataset; text that is trained, or that a preference is about, is green and has a bar at its left.

    DATASET is a number of 'agentr datasets list', or a run (then its newest one); POSITION counts from 1. Of a
    preference the way that came to more is shown first, then the other one.
    """
    from agentr_core.cli.conversations import turns

    row = _find(store, which)
    if row.reads != "conversations":
        from agentr_core.cli.tree_rows import tree_row_page  # it makes the rows anew, of whole trees

        return tree_row_page(store, row, position)
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
    """A dataset for other trainers: messages with flags on each, or TRL's columns.

    Who reads which flag: 'train' Axolotl (as message_field_training), 'loss' ms-swift, 'weight' OpenAI. TRL reads none
    and would train every turn: give it --format trl, a row for each trained turn. Preferences are TRL's prompt,
    chosen and rejected, of which TRL would train the observations between the turns of whole attempts too (the trainer
    'dpo' does not); actions have prompt and completion, the advantage and what was drawn.
    """
    from agentr_core.train.export import write_rows

    row = _find(store, which)
    rows, noun = _exported(store, row, trl=format_ == "trl")
    if format_ != "parquet":
        Export(rows, noun).write(output)
        return
    if output is None:
        raise UsageError("parquet is not text: name a file with --output")
    count = write_rows(rows, Path(output), "parquet")
    say(f"{count:,} {noun} written to {output}")


def _exported(store: Store, row: DatasetRow, *, trl: bool) -> tuple[Iterable[dict[str, Any]], str]:
    """The rows of a dataset for a file, made while they are written, and what to call them."""
    from agentr_core.train.export import example_row, prompt_completion_rows, tree_row
    from agentr_core.train.tree_sets import checked_rows

    def differs() -> None:
        say(
            f"warning: these are not the rows that dataset {row.id} was made of: this agentr reads its trees "
            "otherwise (or they were changed); train on them anew to compare"
        )

    if row.reads != "conversations":
        return (tree_row(each, flags=not trl) for each in checked_rows(store, row, differs)), row.reads
    examples = store.datasets.load(row.id).examples
    if trl:
        return (each for example in examples for each in prompt_completion_rows(example)), "rows"
    return map(example_row, examples), "conversations"


@datasets.command("import")
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--env", metavar="NAME", required=True, help="The environment that the conversations were played in.")
@click.option(
    "-o", "options", multiple=True, metavar="KEY=VALUE", help="The environment's options, e.g. -o max_steps=99."
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "agenttraj", "eto"]),
    default="auto",
    help="Where a conversation's id is: item_id (AgentGym), id or game_file (ETO), or whichever there is.",
)
@click.option(
    "--run", "run", metavar="NAME", help="The run to keep it with, or the name of a new one [the file's name]."
)
@click.option("--only-exact", is_flag=True, help="Leave out what does not play again exactly.")
@click.option("--show-differences", is_flag=True, help="Show the first difference of each that does not.")
@plugin_options
@db_option
@json_option
def import_(
    file: str,
    env: str,
    options: tuple[str, ...],
    format_: Format,
    run: str | None,
    only_exact: bool,
    show_differences: bool,
    db: str,
    json_: bool,
) -> None:
    """Import conversations that others published, as demonstrations to train on.

    FILE is AgentGym's AgentTraj-L or ETO's trajectories. Each conversation is matched to a task of the environment, by
    its id or by its words, and played again there. One that shows the same and brings the same reward is kept as the
    environment tells it: its own instructions, then the turns. Any other is kept as it is in the file.

    \b
    agentr datasets import textcraft_train.json --env textcraft
    agentr train --run textcraft_train --model MODEL
    """
    from agentr_core.cli.importing import report
    from agentr_core.process.progress import Progress
    from agentr_core.runs.imports import import_demonstrations
    from agentr_core.settings.layer import flag_layer
    from agentr_core.settings.layers import resolve

    texts = [f"env.{key}={value}" for key, value in environment_options(env, options).items()]
    config = resolve([flag_layer({"env": ("--env", env)}, texts)]).config
    made = import_demonstrations(
        file, config, db=db, run=run, form=format_, only_exact=only_exact, progress=Progress(quiet=json_)
    )
    report(made, differences=show_differences, json_=json_)


def _find(store: Store, which: str) -> DatasetRow:
    missing = "no dataset yet; make one with: agentr train"
    return by_number_or_run(store, which, store.datasets.get, store.datasets.select, "datasets", missing)
