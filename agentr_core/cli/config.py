"""``agentr config``: the resolved settings of a run with their sources, and the options of plugins as JSON schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import CommandGroup
from agentr_core.cli.options import json_option, plugin_options, resolve_settings, run_options
from agentr_core.cli.output import print_json
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.settings.layers import Resolved


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
    from agentr_core.settings.toml_text import to_toml

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
    """The settings in the shape of a run.toml, and where its files go."""
    from agentr_core.settings.toml_text import config_tables

    place = {"preset": resolved.preset, "name": resolved.name, "db": resolved.db, "out": resolved.out}
    return {**place, **config_tables(resolved.config)}


def _sources(resolved: Resolved) -> dict[str, str]:
    from agentr_core.registry.specs import KINDS
    from agentr_core.settings.toml_text import kinds_with_several

    sources = {"plugins": "--plugin", **resolved.sources} if resolved.config.plugins else dict(resolved.sources)
    named = [kind for kind in KINDS if kind not in kinds_with_several(resolved.config)]
    return {f"{key}.name" if key in named else key: source for key, source in sources.items()}
