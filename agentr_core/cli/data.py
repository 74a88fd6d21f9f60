"""``agentr data``: data sets that plugins can fetch; what fetching one means is the plugin's own command."""

from __future__ import annotations

import importlib

import click

from agentr_core.cli.groups import CommandGroup, ListingGroup
from agentr_core.cli.output import print_json, print_table
from agentr_core.errors import UsageError
from agentr_core.registry.lookup import registry


class _DataGroup(CommandGroup):
    """One command for each data set."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all data sets."""
        return sorted(registry().data())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        """The plugin's command; UsageError for a name that no plugin has."""
        found = registry().data()
        if cmd_name not in found:
            raise UsageError(f"no data set is called '{cmd_name}'; there are: {', '.join(sorted(found)) or 'none'}")
        module, _, name = found[cmd_name].target.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=ListingGroup)
def data() -> None:
    """Data sets that environments can use and that do not come along."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_data(as_json: bool) -> None:
    """List the data sets that can be fetched."""
    rows = [{"name": name, "summary": spec.help} for name, spec in sorted(registry().data().items())]
    if as_json:
        print_json(rows)
    else:
        print_table(("name", "summary"), [(row["name"], row["summary"]) for row in rows])


data.add_command(_DataGroup("get", help="Fetch a data set and print where it is."))
