"""``agentr models``: the models that have short names, and getting them ready."""

from __future__ import annotations

import json

import click

from agentr_core import UsageError, resolve_model
from agentr_transformers.models import named_models


@click.group()
def models() -> None:
    """The models that need nothing but the package index."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_models(as_json: bool) -> None:
    """List the models with short names."""
    rows = [
        {"name": model.name, "ready": model.ready, "path": str(model.path), "summary": model.summary}
        for model in named_models().values()
    ]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']:<14} {'ready' if row['ready'] else 'to be fetched':<14} {row['summary']}")


@models.command("get")
@click.argument("name")
def get_model(name: str) -> None:
    """Fetch and convert the model NAME where needed, and print its folder."""
    if name not in named_models():
        raise UsageError(f"no model is called '{name}'; there are: {', '.join(named_models())}")
    click.echo(resolve_model(name))
