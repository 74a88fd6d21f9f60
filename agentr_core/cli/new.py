"""``agentr new``: a plugin package of one's own, complete and green before a line of it is changed."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from agentr_core.cli.options import plugin_options
from agentr_core.cli.output import say
from agentr_core.errors import UsageError
from agentr_core.registry.specs import KINDS, Kind

#: What the module with the class is called, and a command that uses the plugin.
_MODULES: dict[Kind, tuple[str, str]] = {
    "env": ("env", "agentr run --env $name --searcher mcts --policy flawed --trainer none"),
    "searcher": ("searcher", "agentr run --env textcraft --searcher $name"),
    "critic": ("critic", "agentr revise --run last --critic $name"),
    "trainer": ("trainer", "agentr run --env textcraft --searcher mcts --trainer $name --model FOLDER"),
    "policy": ("policy", "agentr run --env textcraft --searcher mcts --policy $name --trainer none"),
}
#: Files beside the package's own, by kind: template -> place.
_MORE: dict[Kind, dict[str, str]] = {"trainer": {"start.json": "tests/start/answers.json"}}


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("--into", default=".", metavar="FOLDER", help="Where to make the folder agentr-NAME.")
@plugin_options
def new(kind: Kind, name: str, into: str) -> None:
    """Write a package with a plugin of your own: agentr new env warehouse."""
    from agentr_core.registry.lookup import NOUNS, registry

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(
            f"'{name}' is no name for a plugin: use small letters, digits and single hyphens, e.g. my-{kind}"
        )
    if name in registry().names(kind):
        source = registry().entry(kind, name).source
        raise UsageError(f"there is {NOUNS[kind]} '{name}' already, from {source}; choose another name")
    folder = Path(into) / f"agentr-{name}"
    if folder.exists():
        raise UsageError(f"'{folder}' exists already; remove it, choose another name, or use --into")
    for path, text in scaffold(kind, name, NOUNS[kind]).items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    click.echo(folder)
    say(f"next: cd {folder} && pip install -e '.[test]' && pytest -q && agentr plugins check {name}")


def scaffold(kind: Kind, name: str, noun: str) -> dict[str, str]:
    """The files of a new package: path -> text."""
    package = f"agentr_{name.replace('-', '_')}"
    module, try_it = _MODULES[kind]
    values = {
        "name": name,
        "noun": noun,
        "package": package,
        "Class": "".join(part.capitalize() for part in name.split("-")),
        "try_it": Template(try_it).substitute(name=name),
    }
    places = {
        "common/pyproject.toml": "pyproject.toml",
        "common/README.md": "README.md",
        f"{kind}/__init__.py": f"{package}/__init__.py",
        f"{kind}/{module}.py": f"{package}/{module}.py",
        f"{kind}/test_plugin.py": f"tests/test_{package}.py",
        **{f"{kind}/{template}": place for template, place in _MORE.get(kind, {}).items()},
    }
    texts = {place: _fill(template, values) for template, place in places.items()}
    return {**texts, f"{package}/py.typed": ""}


def _fill(template: str, values: dict[str, str]) -> str:
    source = files("agentr_core.cli") / "templates" / f"{template}.tmpl"
    return Template(source.read_text(encoding="utf-8")).substitute(values)
