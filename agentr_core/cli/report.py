"""``agentr report``: runs as one page to send, or as tables for a paper."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from agentr_core.cli.answers import with_store
from agentr_core.cli.output import say
from agentr_core.cli.reading import by_ending, output_option
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.store import RunRow, Store

ReportFormat = Literal["html", "md", "json", "latex"]

#: What the end of a file's name asks for.
_ENDINGS: dict[str, ReportFormat] = {
    ".html": "html", ".htm": "html", ".md": "md", ".json": "json", ".tex": "latex", ".latex": "latex",
}  # fmt: skip
#: Bytes at the beginning of a file in which a report says that it is one.
_LOOKED_AT = 1_000


@click.command()
@click.argument("references", metavar="[RUN]...", nargs=-1)
@click.option("--trees", type=click.IntRange(0), default=5, metavar="K", help="So many trees, each with a revision.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "json", "latex"]),
    help="A page, or its tables alone. Without it: what FILE ends in, else html.",
)
@click.option("--overwrite", is_flag=True, help="Write over a file that is no report.")
@output_option
@with_store
def report(
    store: Store,
    references: tuple[str, ...],
    trees: int,
    form: ReportFormat | None,
    overwrite: bool,
    output: str | None,
) -> None:
    """One page about runs, to send to others: tables, plots, trees to unfold, methods, and how to make it again.

    It is a single file without scripts that asks nothing of the net. One run (the newest without a name) is shown
    with all critics that have revised its trees; several are put side by side, and summed up over seeds.

    \b
    agentr report last -o report.html
    agentr report seed-0 seed-1 seed-2 --format latex
    """
    from agentr_core.report import report as making
    from agentr_core.report.tables_alone import tables
    from agentr_core.train.export import write_text

    runs = [store.runs.find(reference) for reference in dict.fromkeys(references or ("last",))]
    runs = list({run.id: run for run in runs}.values())
    form = form or by_ending(output, _ENDINGS, "a browser prints the page as PDF") or "html"
    target = Path(output) if output else Path(_file_name(runs)) if form == "html" else None
    if target is not None:
        refuse_what_is_no_report(target, overwrite)
    with store.connection.snapshot():
        text = making.report(store, runs, trees=trees) if form == "html" else tables(store, runs, form)
    if target is None:
        click.echo(text, nl=False)
        return
    write_text([text], target)
    say(f"report of {making.title_of(runs)} written to {target}")


def _file_name(runs: Sequence[RunRow]) -> str:
    """``report-NAME.html``, with nothing of a name that a file system or shell would take amiss."""
    first = re.sub(r"[^A-Za-z0-9._-]+", "-", runs[0].name or "").strip("-.")[:60] or runs[0].short
    return f"report-{first}{f'-and-{len(runs) - 1}-more' if runs[1:] else ''}.html"


def refuse_what_is_no_report(target: Path, overwrite: bool) -> None:
    """Raise :class:`~agentr_core.errors.UsageError` for a file that agentr has not written, unless it may be lost."""
    from agentr_core.report.page import MADE_BY

    if overwrite or not target.exists():
        return
    try:
        with target.open("rb") as file:
            known = MADE_BY.encode() in file.read(_LOOKED_AT)
    except OSError as error:
        raise UsageError(f"'{target}' cannot be written: {error.strerror or error}") from error
    if not known:
        raise UsageError(f"'{target}' exists and is no report of agentr; name another file with -o, or add --overwrite")
