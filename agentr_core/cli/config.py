"""``agentr config``: the resolved settings of a run with their sources, and the options of plugins as JSON schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import CommandGroup
from agentr_core.cli.options import json_option, plugin_options, resolve_settings, run_options
from agentr_core.cli.output import print_json, to_toml
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.settings.layers import Resolved
    from agentr_core.settings.run_config import RunConfig


@click.group(cls=CommandGroup)
def config() -> None:
    """Show the resolved configuration, or a plugin's options."""


@config.command()
@run_options
@json_option
@click.pass_context
def show(ctx: click.Context, /, json_: bool, **_: Any) -> None:
    """What a run with these settings would use, and where each value comes from.

    The output is a run.toml: agentr config show --preset paper > run.toml
    """
    resolved = resolve_settings(ctx, require=False)
    tables, sources = _tables(resolved), _sources(resolved)
    if json_:
        print_json({"settings": tables, "sources": sources})
    else:
        click.echo(to_toml(tables, sources), nl=False)


@config.command()
@click.argument("kind", required=False)
@click.argument("name", required=False)
@plugin_options
@click.option("--json", is_flag=True, expose_value=False, help="JSON, which a schema always is.")
def schema(kind: str | None, name: str | None) -> None:
    """The JSON schema of a run's settings, or of one plugin's options: agentr config schema env textcraft."""
    if kind is None:
        from agentr_core.settings.run_config import RunConfig

        print_json(RunConfig.model_json_schema())
        return
    from agentr_core.registry.lookup import registry
    from agentr_core.registry.specs import KINDS

    if kind not in KINDS or name is None:
        raise UsageError(f"name a kind ({', '.join(KINDS)}) and a plugin, e.g. agentr config schema env textcraft")
    print_json(registry().config_class(kind, name).model_json_schema())


def _tables(resolved: Resolved) -> dict[str, Any]:
    """The settings in the shape of a run.toml."""
    from agentr_core.registry.specs import KINDS

    config, dump = resolved.config, resolved.config.model_dump(mode="json")
    place = {"preset": resolved.preset, "name": resolved.name, "db": resolved.db, "out": resolved.out}
    kinds: dict[str, Any] = {kind: _table(dump[kind]) for kind in KINDS if kind not in _several(config)}
    listed: dict[str, Any] = {}
    if "env" in _several(config):
        listed = {"env": config.environments, **{one["name"]: _table(one, name=False) for one in dump["env"]}}
    if trainers := dump.pop("trainers", None):
        every = [dump["trainer"], *trainers]
        listed |= {"trainer": ",".join(one["name"] for one in every)}
        listed |= {one["name"]: _table(one, name=False) for one in every}
    return {**place, **dump, **kinds, **listed}


def _several(config: RunConfig) -> list[str]:
    """The kinds of which a run has several plugins: each has a table under its own name."""
    return [kind for kind, chosen in (("env", config.env), ("trainer", config.all_trainers)) if len(chosen) > 1]


def _table(chosen: Mapping[str, Any], *, name: bool = True) -> dict[str, Any]:
    """A plugin's table: its name, its options, and what an environment has of its own beside them."""
    own = {key: value for key, value in chosen.items() if key not in ("name", "options")}
    return {**({"name": chosen["name"]} if name else {}), **chosen["options"], **own}


def _sources(resolved: Resolved) -> dict[str, str]:
    from agentr_core.registry.specs import KINDS

    sources = {"plugins": "--plugin", **resolved.sources} if resolved.config.plugins else dict(resolved.sources)
    named = [kind for kind in KINDS if kind not in _several(resolved.config)]
    return {f"{key}.name" if key in named else key: source for key, source in sources.items()}
