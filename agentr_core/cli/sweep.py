"""``agentr sweep``: a grid of settings over the same trees, as one table and one plot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from agentr_core.cli.options import json_option, plugin_options
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.cli.report import refuse_what_is_no_report
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.runs.report import Table
    from agentr_core.runs.sweep import Planned, Swept
    from agentr_core.settings.sweep import Sweep


@click.command()
@click.argument("file", metavar="FILE.toml")
@click.option("--dry-run", is_flag=True, help="Print all runs and what is left to do of them, and do nothing.")
@click.option("--format", "form", type=click.Choice(["md"]), help="Print the table as Markdown.")
@click.option(
    "-o", "--output", metavar="FILE.html", help="Where the page with table and plot goes [sweep-NAME.html here]."
)
@click.option("--overwrite", is_flag=True, help="Write over a file that is no page of agentr.")
@click.option("--shard", metavar="I/N", help="Make part I of N alone, in a database of its own: agentr db merge.")
@click.option("--db", envvar="AGENTR_DB", metavar="PATH", help="The project's database [the file's, else agentr.db].")
@plugin_options
@json_option
def sweep(
    file: str,
    dry_run: bool,
    form: Literal["md"] | None,
    output: str | None,
    overwrite: bool,
    shard: str | None,
    db: str | None,
    json_: bool,
) -> int:
    """Make the runs that a file describes: every combination of what it varies, over the same trees where that can be.

    Killed at any moment, the same command goes on: runs are found again by their settings.

    \b
    agentr sweep study.toml --dry-run
    agentr sweep study.toml
    """
    from agentr_core.cli.calling import typed
    from agentr_core.run_context import Shard
    from agentr_core.runs.sweep import part_of
    from agentr_core.settings.sweep import read_sweep

    if json_ and form is not None:
        raise UsageError("--json and --format: choose one")
    part = Shard.parse(shard) if shard is not None else None
    whole = read_sweep(file)
    chosen = whole if part is None else part_of(whole, part)
    where = db or chosen.db or "agentr.db"
    if dry_run:
        return _print_plan(chosen, where, json_)
    target = Path(output or f"sweep-{Path(file).stem}{f'-part-{part.number}' if part else ''}.html")
    refuse_what_is_no_report(target, overwrite)
    code = _work(chosen, where, target, form, json_, f"agentr sweep {file}{f' --shard {part}' if part else ''}")
    if part is not None:
        merge, table = f"agentr db merge {where} ... --into all.db", f"agentr sweep {file} --db all.db"
        say(f"part {part}; once all parts are there: {typed(merge)} && {typed(table)}")
    return code


def _work(chosen: Sweep, db: str, target: Path, form: Literal["md"] | None, json_: bool, command: str) -> int:
    from agentr_core.cli.calling import typed
    from agentr_core.errors import ExitCode
    from agentr_core.process.progress import Progress
    from agentr_core.runs.sweep import sweep_runs

    ended = sweep_runs(chosen, db=db, out=chosen.out, progress=Progress(), advice=typed(command))
    odd = [_what_failed(each) for each in ended if each.error or each.failed]
    table, plot = _write_page(chosen, ended, db, target, odd)
    if json_:
        runs = [_as_json(each) for each in ended]
        print_json({"sweep": chosen.name, "runs": runs, "rows": table.data, "page": str(target), "plot": plot})
    else:
        _print(table, form)
        say(f"page with table and plot: {target}")
    for line in odd:
        say(line)
    if any(each.error for each in ended):
        say(f"take them up again with: {typed(command)}")
    return ExitCode.PARTIAL if odd else ExitCode.OK


def _write_page(chosen: Sweep, ended: Sequence[Swept], db: str, target: Path, odd: Sequence[str]) -> tuple[Table, Any]:
    """The table, and the plot's series as values; both are written as a page, where any model was evaluated."""
    from dataclasses import asdict

    from agentr_core.report.sweep_page import sweep_page
    from agentr_core.runs.sweep_table import sweep_plot, sweep_rows, sweep_table
    from agentr_core.store import open_store
    from agentr_core.train.export import write_text

    with open_store(db, read_only=True) as store:
        rows = sweep_rows(store, [(each.combination.label, each.run) for each in ended if each.run is not None])
    table, plot = sweep_table(rows), sweep_plot(rows)
    if rows:
        write_text([sweep_page(chosen.name, table, plot, odd)], target)
    return table, asdict(plot)


def _print(table: Table, form: Literal["md"] | None) -> None:
    from agentr_core.report.table_text import written

    if form is not None:
        click.echo(written(table.columns, table.rows, form), nl=False)
        return
    say("")
    print_table(table.columns, table.rows)
    for note in table.notes:
        say(note)


def _what_failed(each: Swept) -> str:
    if each.error or each.run is None:
        return f"{each.combination.name} failed: {each.error}"
    return f"{each.combination.name}: {each.failed} trees or episodes failed (agentr retry {each.run.short})"


def _as_json(each: Swept) -> dict[str, Any]:
    known = {"label": each.combination.label, "seed": each.combination.config.seed, "failed": each.failed}
    return {**known, "run": each.run and each.run.key, "error": each.error or None}


def _print_plan(chosen: Sweep, db: str, json_: bool) -> int:
    from agentr_core.runs.sweep import plan, totals

    planned = plan(chosen, db)
    left = totals(planned)
    if json_:
        rows = [_planned_json(each) for each in planned]
        print_json({"sweep": chosen.name, "alike": chosen.alike, "left": left, "runs": rows})
        return 0
    cells = [
        [each.combination.label, str(each.combination.config.seed), _state(each), "shared" if each.shared else "grown"]
        for each in planned
    ]
    print_table(["", "seed", "run", "first trees"], cells)
    counts = [f"{left.get(name, 0):,} {name}" for name in ("searches", "trees", "trainings", "evaluations")]
    say(f"plan: {left['runs']} runs, {left['done']} done; left at the most: {', '.join(counts)}")
    if chosen.alike:
        say(f"{chosen.alike} more combinations come to settings that another one has, and are not made twice")
    return 0


def _state(each: Planned) -> str:
    return each.state if each.run is None else f"{each.state} ({each.run.name or each.run.short})"


def _planned_json(each: Planned) -> dict[str, Any]:
    config = each.combination.config
    known = {"label": each.combination.label, "seed": config.seed, "state": each.state, "left": each.work}
    there = {"run": each.run and each.run.key, "shares_first_trees": each.shared}
    return {**known, **there, "settings": config.model_dump(mode="json")}
