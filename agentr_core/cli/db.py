"""``agentr db``: the database file itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from agentr_core.cli.groups import CommandGroup
from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.cli.reading import reading

MEGABYTE = 1_000_000


@click.group(cls=CommandGroup)
def db() -> None:
    """Path, state and backup of the database."""


@db.command()
@db_option
@json_option
def path(db: str, json_: bool) -> None:
    """Where the database is, whether it exists or not."""
    place = Path(db).absolute()
    if json_:
        print_json({"path": str(place), "exists": place.exists()})
    else:
        click.echo(place)


@db.command()
@click.option("--check", is_flag=True, help="Also read the whole file and say whether any of it is damaged.")
@db_option
@json_option
def status(check: bool, db: str, json_: bool) -> None:
    """How large the database is, and how many rows each table has."""
    with reading(db) as store:
        state = store.connection.status()
        if check:
            state["integrity"] = store.connection.integrity()
    if json_:
        print_json(state)
        return
    rows: list[tuple[str, Any]] = [("path", state["path"]), ("schema", state["schema"])]
    rows += [("size", f"{state['bytes'] / MEGABYTE:.1f} MB"), ("log", f"{state['log_bytes'] / MEGABYTE:.1f} MB")]
    rows += [("integrity", state["integrity"])] if check else []
    print_table(("database", ""), rows)
    click.echo()
    print_table(("table", "rows"), [(name, f"{count:,}") for name, count in state["rows"].items()])


@db.command()
@click.argument("target", type=click.Path(path_type=Path))
@db_option
def backup(target: Path, db: str) -> None:
    """Copy the database to TARGET, safely while a run writes to it."""
    with reading(db) as store:
        store.connection.backup(target)
    say(f"{db} copied to {target}")


@db.command()
@click.argument("sources", metavar="DATABASE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--into", required=True, metavar="PATH", type=click.Path(path_type=Path), help="The database of all."
)
@json_option
def merge(sources: tuple[Path, ...], into: Path, json_: bool) -> None:
    """Put all that several databases hold into one, as after an array job: agentr db merge a.db b.db --into all.db

    Parts of one search (agentr search --shard) become one run. Merging again changes nothing.
    """
    from agentr_core.cli.calling import typed
    from agentr_core.runs.merging import merge_databases

    files, incomplete = merge_databases(sources, into)
    if json_:
        print_json([{"path": str(file.path), "new": file.merged.new, "unknown": file.merged.unknown} for file in files])
    for file in () if json_ else files:
        new = ", ".join(f"{count:,} {name}" for name, count in file.merged.new.items())
        say(f"{file.path}: {new or 'nothing that was not there'}")
        for old, name in file.merged.renamed:
            say(f"  a run called '{old}' is here already; this one is now called '{name}'")
        if file.merged.unknown:
            say(f"  left alone, since their plugins alone know them: {', '.join(file.merged.unknown)}")
    for run, count in incomplete:
        resume = typed(f"agentr resume {run.short} --db {into}")
        say(f"run {run.short}: {count} trees are missing; merge their part, or {resume}")


@db.command()
@db_option
def dump(db: str) -> None:
    """Every row as a line of JSON, without times and process ids: equal runs have equal dumps."""
    from agentr_core.store import canonical_dump

    with reading(db) as store:
        for line in canonical_dump(store):
            click.echo(line)
