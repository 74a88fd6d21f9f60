"""``agentr compare``: runs, or critics or trainers over the same trees, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.errors import NothingToDo, UsageError
from agentr_core.report.table_text import TableFormat, written

if TYPE_CHECKING:
    from agentr_core.runs.report import Table
    from agentr_core.store import RunRow, Store
    from agentr_core.store.runs import Having

#: What may be asked for besides runs: what runs must have for it, and what is said where they have not.
_HAVING: dict[str, tuple[Having, str]] = {
    "runs": ("evaluations", "evaluated"),
    "critics": ("revisions", "revised"),
    "trainers": ("checkpoints", "trained"),
}


@click.command()
@click.argument("references", metavar="[RUN]...", nargs=-1)
@click.option("--critics", is_flag=True, help="Compare the revision sets over the trees of these runs.")
@click.option("--trainers", is_flag=True, help="Compare the models that trainers made of the trees of these runs.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "md"]),
    help="Print CSV (a row for each run, set or model, plain numbers) or Markdown.",
)
@db_option
@json_option
def compare(
    references: tuple[str, ...], critics: bool, trainers: bool, form: TableFormat | None, db: str, json_: bool
) -> None:
    """Put runs, critics or trainers side by side (without a name: the newest run).

    Runs that differ in nothing but the seed are also summed up: means and differences with intervals over seeds.

    \b
    agentr compare RUN RUN ...
    agentr compare --critics RUN
    agentr compare --trainers RUN
    """
    from agentr_core.store import open_store

    if json_ and form is not None:
        raise UsageError("--json and --format: choose one")
    if critics and trainers:
        raise UsageError("--critics and --trainers: choose one")
    what = "critics" if critics else "trainers" if trainers else "runs"
    having, done = _HAVING[what]
    with open_store(db, read_only=True) as store:
        chosen = [store.runs.find(reference, having) for reference in dict.fromkeys(references or ("last",))]
        tables = _tables(store, chosen, what)
    if not any(table.rows for table in tables):
        raise NothingToDo(f"run {chosen[0].short} has nothing {done} yet")
    if json_:
        print_json([row for table in tables for row in table.data])
    elif form is not None:
        _print_for_others(tables, form)
    else:
        _print_to_read(tables)


def _tables(store: Store, chosen: Sequence[RunRow], what: str) -> list[Table]:
    from agentr_core.runs import report, side_by_side
    from agentr_core.runs.trainers import trainers

    if what == "critics":
        return [report.critics(store, chosen)]
    if what == "trainers":
        return [trainers(store, chosen)]
    return [report.iterations(store, chosen[0])] if len(chosen) == 1 else side_by_side.side_by_side(store, chosen)


def _print_to_read(tables: Sequence[Table]) -> None:
    for number, table in enumerate(tables):
        if number:
            click.echo()
        print_table(table.columns, table.rows)
        for note in table.notes:
            say(note)


def _print_for_others(tables: Sequence[Table], form: TableFormat) -> None:
    """Markdown of all tables; CSV of the first, since a file of it holds one."""
    from agentr_core.runs.side_by_side import flat_rows

    if form == "md":
        click.echo("\n".join(written(table.columns, table.rows, form) for table in tables), nl=False)
        return
    rows = list(flat_rows(tables[0]))
    columns = list(dict.fromkeys(key for row in rows for key in row))
    cells = [["" if row.get(key) is None else _csv_cell(row[key]) for key in columns] for row in rows]
    click.echo(written(columns, cells, form), nl=False)
    if len(tables) > 1:
        say("the summary over seeds is not in it: --json or --format md have it")


def _csv_cell(value: object) -> str:
    """A value for CSV: numbers whole, truth as true and false."""
    return str(value).lower() if isinstance(value, bool) else str(value)
