"""``agentr envs check``: whether an environment keeps its contract, rule by rule in plain words, and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import CommandGroup
from agentr_core.cli.options import environment_options, json_option, plugin_options
from agentr_core.cli.output import print_json
from agentr_core.cli.reading import clean
from agentr_core.errors import ContractError, PluginError

if TYPE_CHECKING:
    from agentr_core.testing import Check
    from agentr_core.testing.environment_figures import Figures

#: The rules of the contract as people ask for them: what a line is called, and what is true where the rule holds.
_WORDS: Mapping[str, tuple[str, str]] = {
    "it is written for this agentr": ("interface", "it has the methods that this agentr calls"),
    "tasks are stable": ("splits", "the same tasks in the same order each time, each with a key of its own"),
    "unknown splits and keys are usage errors": ("unknown names", "a split or key that is not there is a UsageError"),
    "instructions are text": ("instructions", "not empty, and the same whatever has been played before"),
    "the same actions have the same effect": (
        "determinism, replay", "the same actions show the same, in another instance and played again",
    ),
    "instances share no state": ("side by side", "two episodes that take turns show what each shows alone"),
    "snapshots restore the state": ("snapshots", "what follows a restored state is what followed it before"),
    "any text is answered": ("unicode, odd actions", "control characters, other scripts, 10,000 letters: all answered"),
    "any answer is read": ("odd answers", "parse gives an action or an error text for whatever a model writes"),
    "long observations are shortened": ("huge observations", "max_observation_chars shortens what is shown, no more"),
    "results are plain data": ("rewards", "in [0, 1]; ended or cut short, never both; distances of 0 and more"),
    "steps before reset and after the end are errors": ("step after the end", "a RuntimeError, as before a reset"),
    "demonstrations succeed": ("demonstrations", "the expert's actions end with reward 1"),
    "closing twice is fine": ("closing", "twice, and before a reset, is fine"),
}  # fmt: skip
#: How the note of a rule begins that found nothing to try.
_NOTHING = ("no snapshots", "none offered", "no end within", "not offered")
_WIDTH = max(len(label) for label, _ in _WORDS.values())


@click.group(cls=CommandGroup)
def envs() -> None:
    """Check an environment, rule by rule, and measure it."""


@envs.command()
@click.argument("name")
@click.option(
    "-o", "options", multiple=True, metavar="KEY=VALUE", help="The environment's options, e.g. -o max_steps=30."
)
@json_option
@plugin_options
def check(name: str, options: tuple[str, ...], json_: bool) -> None:
    """Whether an environment (a name, or module:Class) keeps its contract, and how large and fast it is.

    These are the contract checks of agentr_core.testing that 'agentr plugins check' runs, a line each in plain words;
    exit 4 where one fails. Below them are the sizes of the splits, the steps by demonstration, and steps in a second.
    """
    from agentr_core.registry.lookup import registry
    from agentr_core.settings.layer import parse_value
    from agentr_core.testing import checks

    found = registry()
    found.entry("env", name)  # a name that is none says which there are
    config = {key: parse_value(text) for key, text in environment_options(name, options).items()}
    rows = [_tried(rule, quiet=json_) for rule in checks("env", name, config, plugins=found)]
    failed = sum(not row["ok"] for row in rows)
    figures = None if failed else _measured(lambda: found.create("env", name, config))
    if json_:
        print_json({"env": name, "checks": rows, "failed": failed, "figures": figures and figures.as_dict()})
    elif figures is not None:
        for line in _lines(figures):
            click.echo(line)
    if failed:
        raise PluginError(f"'{name}' breaks {failed} of {len(rows)} rules; it is measured once it keeps them all")


def _measured(make: Any) -> Figures:
    from agentr_core.errors import EnvironmentFailure, boundary
    from agentr_core.testing.environment_figures import measure

    with boundary(EnvironmentFailure, "measuring the environment"):
        return measure(make)


def _tried(rule: Check, *, quiet: bool) -> dict[str, Any]:
    """One rule, tried and told."""
    subject, _, words = str(rule).partition(": ")
    label, holds = _WORDS.get(words, (subject, words))
    try:
        note, ok = rule(), True
        told = note if note.startswith(_NOTHING) else f"{holds} ({note})" if note else holds
    except ContractError as error:
        told, ok = f"{words}: expected {error.expected}, got {error.got}", False
    if not quiet:
        click.echo(_line("ok" if ok else "FAILED", label, told))
    return {"check": label, "rule": str(rule), "ok": ok, "told": told}


def _lines(figures: Figures) -> Iterator[str]:
    sizes = ", ".join(f"{split} {count:,}" for split, count in figures.splits.items())
    yield _line("", "tasks", sizes)
    shown = f"{figures.demonstrated:,} of {figures.tasks:,} tasks have a demonstration"
    if figures.lengths is not None:
        fewest, median, most = figures.lengths
        shown += f": {fewest} steps at the least, {median:g} in the middle, {most} at the most"
    yield _line("", "steps", shown)
    speed = figures.steps_per_second
    unknown = "not measured: neither demonstrations nor legal actions to play"
    yield _line("", "speed", unknown if speed is None else f"{speed:,.0f} steps in a second")


def _line(mark: str, label: str, told: str) -> str:
    colour = {"ok": "green", "FAILED": "red"}.get(mark)
    return f"{click.style(f'{mark:<6}', fg=colour)}  {label:<{_WIDTH}}  {' '.join(clean(told).split())}".rstrip()
