"""``agentr data get webshop``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from agentr_webshop.download import SETS, default_folder, fetch_set
from agentr_webshop.remote import Report


@click.command()
@click.option(
    "--size", type=click.Choice(list(SETS)), default="small", help="1,000 products, or 1.18 million (5.2 GB)."
)
@click.option("--to", type=click.Path(path_type=Path), help="Folder for the files. [default: in the user's cache]")
@click.option("--from", "base", metavar="URL", help="Another server that has the files under their own names.")
def webshop(size: str, to: Path | None, base: str | None) -> None:
    """Fetch WebShop's public product files and print their folder.

    The files are checked for their size where it is known, for being whole, and against what the first download
    brought; nobody publishes hashes of them. No licence is stated for the products, which were scraped from a shop.
    """
    folder = (to or default_folder(size)).expanduser()
    fetched = fetch_set(size, folder, _show, base)
    said = f"fetched {', '.join(fetched)}" if fetched else "everything is there, as it was first fetched"
    click.echo(f"{said}; use it with: -o env.data={folder}", err=True)
    click.echo(folder)


@contextmanager
def _show(name: str, size: int | None) -> Iterator[Report]:
    """A bar on a terminal; elsewhere one line before and nothing after."""
    if not sys.stderr.isatty():
        click.echo(f"fetching {name}" + (f" ({size:,} bytes)" if size else ""), err=True)
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn(name), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        bar = bars.add_task(name, total=size)
        yield lambda done, total: bars.update(bar, completed=done, total=total)
