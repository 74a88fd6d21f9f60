"""``agentr new``: a plugin package of one's own, complete and green before a line of it is changed."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import click

from agentr_core.cli.options import plugin_options
from agentr_core.cli.output import say
from agentr_core.errors import UsageError
from agentr_core.registry.specs import KINDS, Kind

if TYPE_CHECKING:
    from agentr_core.interfaces.training_sets import Reads

#: What the module with the class is called, and a command that uses the plugin.
_MODULES: dict[Kind, tuple[str, str]] = {
    "env": ("env", "agentr run --env $name --searcher mcts --policy flawed --trainer none"),
    "searcher": ("searcher", "agentr run --env textcraft --searcher $name"),
    "critic": ("critic", "agentr revise --run last --critic $name"),
    "trainer": ("trainer", "agentr run --env textcraft --searcher mcts --trainer $name --model FOLDER"),
    "executor": (
        "executor",
        "agentr run --env textcraft --policy flawed --trainer none --executor $name",
    ),
    "policy": ("policy", "agentr run --env textcraft --searcher mcts --policy $name --trainer none"),
}
#: Of a trainer, by what it reads: the names that it imports, its rows, what its ``train`` does, and what its test sees.
_READS: dict[Reads, tuple[tuple[str, str], str, str, str]] = {
    "conversations": (
        ("Example", "TrainingSet"),
        "examples",
        "Learn the turns whose ``train`` is set, and nothing else",
        """assert set(answers) == {"'jump' is not an action.", "You are at 2."}""",
    ),
    "preferences": (
        ("PreferencePair", "PreferenceSet"),
        "rows",
        "Learn what was better than what, by the turns whose ``train`` is set",
        """assert answers["Count to 0."] == {"Thought: I count.\\nAction: add 1": 1.0, "Action: jump": -1.0}""",
    ),
    "actions": (
        ("ActionRow", "ActionSet"),
        "rows",
        "Learn each action that was drawn by its advantage",
        """assert answers["Count to 0."]["Thought: I count.\\nAction: add 1"] == 0.375""",
    ),
    "values": (
        ("ValueRow", "ValueSet"),
        "rows",
        "Learn what each state is worth",
        """assert answers["Action: jump"] == {"You see.": 0.0}""",
    ),
}
_TRAINER_IMPORTS = ("Checkpoint", "NothingToDo", "PluginConfig", "Report", "Trainer", "UsageError")
#: Files beside the package's own, by kind: template -> place.
_MORE: dict[Kind, dict[str, str]] = {"trainer": {"start.json": "tests/start/answers.json"}}


@click.command()
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("name")
@click.option("--into", default=".", metavar="FOLDER", help="Where to make the folder agentr-NAME.")
@click.option("--reads", type=click.Choice(list(_READS)), help="Of a trainer: what it learns from [conversations].")
@plugin_options
def new(kind: Kind, name: str, into: str, reads: Reads | None) -> None:
    """Write a package with a plugin of your own: agentr new env warehouse."""
    from agentr_core.registry.lookup import NOUNS, registry

    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        raise UsageError(
            f"'{name}' is no name for a plugin: use small letters, digits and single hyphens, e.g. my-{kind}"
        )
    if name in registry().names(kind):
        source = registry().entry(kind, name).source
        raise UsageError(f"there is {NOUNS[kind]} '{name}' already, from {source}; choose another name")
    if reads is not None and kind != "trainer":
        raise UsageError(f"--reads is about trainers; {NOUNS[kind]} learns from nothing")
    folder = Path(into) / f"agentr-{name}"
    if folder.exists():
        raise UsageError(f"'{folder}' exists already; remove it, choose another name, or use --into")
    for path, text in scaffold(kind, name, NOUNS[kind], reads or "conversations").items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    click.echo(folder)
    say(f"next: cd {folder} && pip install -e '.[test]' && pytest -q && agentr plugins check {name}")


def scaffold(kind: Kind, name: str, noun: str, reads: Reads = "conversations") -> dict[str, str]:
    """The files of a new package: path -> text; ``reads`` is what a trainer learns from."""
    package = f"agentr_{name.replace('-', '_')}"
    module, try_it = _MODULES[kind]
    values = {
        "name": name,
        "noun": noun,
        "package": package,
        "Class": "".join(part.capitalize() for part in name.split("-")),
        "try_it": Template(try_it).substitute(name=name),
        **_reading(reads),
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


def _reading(reads: Reads) -> dict[str, str]:
    """What a trainer of one kind has where one of another kind has something else."""
    (row, taken), rows, what, expect = _READS[reads]
    return {
        "reads": reads,
        "imports": "(\n" + "".join(f"    {name},\n" for name in sorted((*_TRAINER_IMPORTS, row, taken))) + ")",
        "Set": taken,
        "second": "" if reads == "conversations" else f", {taken}",
        "rows": rows,
        "what": what,
        "expect": f"    {expect}",
        "learn": _source(f"trainer/learn_{reads}.py"),
    }


def _fill(template: str, values: dict[str, str]) -> str:
    return Template(_source(template)).substitute(values)


def _source(template: str) -> str:
    return (files("agentr_core.cli") / "templates" / f"{template}.tmpl").read_text(encoding="utf-8")
