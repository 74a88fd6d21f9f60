"""``agentr plugins``: what is installed, what one plugin can do, and whether it keeps its contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import json_option, plugin_options
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.errors import PluginError, UnknownPluginError
from agentr_core.process.terminal import visible
from agentr_core.registry.specs import KINDS, Kind

if TYPE_CHECKING:
    from agentr_core.interfaces.plugin_config import PluginConfig
    from agentr_core.registry.discovery import Failure, Plugin
    from agentr_core.registry.lookup import Entry, Registry
    from agentr_core.testing import Check

kind_option = click.option("--kind", type=click.Choice(KINDS), help="Only plugins of this kind.")


@click.group(cls=ListingGroup)
def plugins() -> None:
    """List, show and check plugins."""


@plugins.command("list")
@kind_option
@json_option
@plugin_options
def list_(kind: Kind | None, json_: bool) -> None:
    """What can be named after --env, --searcher, --policy, --critic and --trainer."""
    from agentr_core.registry.lookup import registry

    found = registry()
    if json_:
        rows = [_plugin_row(plugin, kind, found) for plugin in found.plugins]
        print_json([*rows, *(_failure_row(failure) for failure in found.failures.values())])
        return
    print_table(
        ("kind", "name", "from", "summary"),
        [(entry.spec.kind, entry.spec.name, entry.source, _summary(entry, found)) for entry in found.entries(kind)],
    )
    commands = {name: command.help for name, command in found.commands().items()}
    commands |= {f"data get {name}": command.help for name, command in found.data().items()}
    if commands and kind is None:
        click.echo()
        print_table(("command", "summary"), [(f"agentr {name}", summary) for name, summary in commands.items()])
    models = [(f"--model {model.name}", plugin.name) for plugin in found.plugins for model in plugin.models]
    if models and kind is None:
        click.echo()
        print_table(("model", "of the plugin"), models)
    if found.skipped:
        say(f"left out: {', '.join(found.skipped)}")


@plugins.command()
@click.argument("name")
@kind_option
@json_option
@plugin_options
def show(name: str, kind: Kind | None, json_: bool) -> None:
    """One plugin: where it comes from and its options."""
    from agentr_core.registry.lookup import registry

    found = registry()
    rows = [_details(entry, found) for entry in _named(found, name, kind)]
    if json_:
        print_json(rows)
        return
    for index, row in enumerate(rows):
        if index:
            click.echo()
        lines = [f"{row['kind']} {row['name']}: {row['summary']}"]
        lines += [f"  from     {row['distribution']} {row['version']}, plugin '{row['plugin']}', {row['target']}"]
        lines += [f"  missing  {row['missing']}"] if row["missing"] else []
        click.echo("\n".join(map(visible, lines)))
        click.echo()
        print_table(
            ("option", "type", "default", "description"),
            [(f"-o {row['name']}.{key}", *values.values()) for key, values in row["options"].items()],
        )


@plugins.command()
@click.argument("name")
@kind_option
@click.option(
    "-o", "options", multiple=True, metavar="KEY=VALUE", help="An option to make it with, e.g. -o max_steps=30."
)
@click.option("--model", metavar="PATH_OR_ID", help="What a trainer is tried on (default: a small random model).")
@json_option
@plugin_options
def check(name: str, kind: Kind | None, options: tuple[str, ...], model: str | None, json_: bool) -> None:
    """Run the contract checks of agentr_core.testing on a plugin; exit 4 where a rule is broken.

    For an environment, 'agentr envs check NAME' tells the same checks as a list to read, with sizes and speed.
    """
    from agentr_core.registry.lookup import registry
    from agentr_core.settings.layer import flag_layer
    from agentr_core.testing import checks

    found = registry()
    config = flag_layer({}, options).values
    rules = [
        rule
        for entry in _named(found, name, kind)
        for rule in checks(entry.spec.kind, name, config, plugins=found, model=model)
    ]
    rows = [_try(rule, quiet=json_) for rule in rules]
    if json_:
        print_json(rows)
    if failed := sum(not row["ok"] for row in rows):
        raise PluginError(f"'{name}' breaks {failed} of {len(rows)} rules")


def _try(rule: Check, *, quiet: bool) -> dict[str, Any]:
    from agentr_core.errors import ContractError

    try:
        row = {"rule": str(rule), "ok": True, "detail": rule()}
    except ContractError as error:
        row = {"rule": str(rule), "ok": False, "detail": f"expected {error.expected}, got {error.got}"}
    if not quiet:
        detail = f" ({row['detail']})" if row["detail"] else ""
        click.echo(visible(f"{'ok    ' if row['ok'] else 'FAILED'}  {rule}{detail}"))
    return row


def _named(found: Registry, name: str, kind: Kind | None) -> list[Entry]:
    """The plugins of that name, of every kind unless one is given."""
    if kind is not None:
        return [found.entry(kind, name)]
    head = name.partition(":")[0]
    kinds = [each for each in KINDS if head in found.names(each)]
    if not kinds and ":" in name:
        return [found.entry(_kind_of_class(found, name), name)]
    if not kinds:
        raise UnknownPluginError("plugin", name, {each for one in KINDS for each in found.names(one)})
    return [found.entry(each, name) for each in kinds]


def _kind_of_class(found: Registry, name: str) -> Kind:
    """The kind of ``module:Class`` by what the class derives from."""
    from agentr_core.testing.plugins import BASES

    try:
        target = found.plugin_class(KINDS[0], name)
    except UnknownPluginError as error:
        everything = {each for kind in KINDS for each in found.names(kind)}
        raise UnknownPluginError("plugin", name, everything, error.reason) from None
    kinds = [kind for kind, base in BASES.items() if isinstance(target, type) and issubclass(target, base)]
    if not kinds:
        bases = ", ".join(base.__name__ for base in BASES.values())
        raise PluginError(f"'{name}' is no plugin: it derives from none of {bases} of agentr_core")
    return kinds[0]


def _summary(entry: Entry, found: Registry) -> str:
    missing = _missing(entry, found)
    return f"{entry.spec.summary} (missing: {missing})" if missing else entry.spec.summary


def _missing(entry: Entry, found: Registry) -> str:
    from agentr_core.errors import MissingDependencyError

    try:
        found.require(entry.spec.kind, entry.spec.name)
    except MissingDependencyError as error:
        return f"{error.package}: {error.install}"
    except PluginError as error:
        return str(error)
    return ""


def _plugin_row(plugin: Plugin, kind: Kind | None, found: Registry) -> dict[str, Any]:
    return {
        "name": plugin.name,
        "distribution": plugin.distribution,
        "version": plugin.version,
        "module": plugin.module,
        "hooks": list(plugin.hooks),
        "specs": [
            {
                "kind": spec.kind,
                "name": spec.name,
                "summary": spec.summary,
                "target": spec.target,
                "version": spec.version,
                "requires": list(spec.requires),
                "missing": _missing(found.entry(spec.kind, spec.name), found)
                if _unique(spec.kind, spec.name, found)
                else "",
            }
            for spec in plugin.specs
            if kind in (None, spec.kind)
        ],
        "commands": [command.name for command in plugin.commands],
        "data": [command.name for command in plugin.data],
        "models": [model.name for model in plugin.models],
        "failure": None,
    }


def _unique(kind: Kind, name: str, found: Registry) -> bool:
    return sum(entry.spec.name == name for entry in found.entries(kind)) == 1


def _failure_row(failure: Failure) -> dict[str, Any]:
    row = {"name": failure.name, "distribution": failure.distribution, "version": failure.version, "module": None}
    return {**row, "hooks": [], "specs": [], "commands": [], "data": [], "models": [], "failure": failure.reason}


def _details(entry: Entry, found: Registry) -> dict[str, Any]:
    spec = entry.spec
    config_class = found.config_class(spec.kind, spec.name)
    schema = config_class.model_json_schema()
    return {
        "kind": spec.kind,
        "name": spec.name,
        "summary": spec.summary,
        "target": spec.target,
        "plugin": entry.plugin.name,
        "distribution": entry.plugin.distribution,
        "version": entry.plugin.version,
        "missing": _missing(entry, found),
        "options": {
            key: {
                "type": _type(value),
                "default": value.get("default", _made_default(config_class, key)),
                "description": value.get("description", ""),
            }
            for key, value in cast(dict[str, dict[str, Any]], schema.get("properties", {})).items()
        },
    }


def _made_default(config_class: type[PluginConfig], key: str) -> Any:
    """The default of a field whose schema has none: what its factory makes, or the word ``required``."""
    field = config_class.model_fields[key]
    return "required" if field.is_required() else field.get_default(call_default_factory=True)


def _type(schema: dict[str, Any]) -> str:
    """The type of a JSON schema in a word."""
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return "|".join(str(each) for each in schema["enum"])
    return str(schema.get("const", schema.get("type", schema.get("$ref", "").rpartition("/")[2])))
