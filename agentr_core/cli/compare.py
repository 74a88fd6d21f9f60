"""``agentr compare``: runs, or critics over the same trees, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json, print_table
from agentr_core.errors import NothingToDo

if TYPE_CHECKING:
    from agentr_core.store.runs import Having


@click.command()
@click.argument("references", metavar="RUN...", nargs=-1)
@click.option("--critics", is_flag=True, help="Compare the revision sets over the trees of one run.")
@db_option
@json_option
def compare(references: tuple[str, ...], critics: bool, db: str, json_: bool) -> None:
    """Put runs or critics side by side (without a name: the newest run).

    agentr compare RUN RUN ...        agentr compare --critics RUN
    """
    from agentr_core.runs import report
    from agentr_core.store import open_store

    with open_store(db, read_only=True) as store:
        having: Having = "revisions" if critics else "evaluations"
        chosen = [store.runs.find(reference, having) for reference in references or ("last",)]
        if critics:
            tables = [report.critics(store, run) for run in chosen]
        elif len(chosen) == 1:
            tables = [report.iterations(store, chosen[0])]
        else:
            tables = [report.runs(store, chosen)]
    if not any(table.rows for table in tables):
        what = "revised" if critics else "evaluated"
        raise NothingToDo(f"run {chosen[0].short} has nothing {what} yet")
    if json_:
        print_json([row for table in tables for row in table.data])
        return
    for table in tables:
        print_table(table.columns, table.rows)
