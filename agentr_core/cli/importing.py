"""What ``agentr datasets import`` says of the file that it has read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.calling import typed
from agentr_core.cli.output import heading, print_json, print_table, say
from agentr_core.cli.reading import clean, percent

if TYPE_CHECKING:
    from agentr_core.runs.imports import Import
    from agentr_core.train.demonstrations import Demonstration, Imported


def report(made: Import, *, differences: bool, json_: bool) -> None:
    """The counts as a table or JSON, each difference where asked, and what to type next."""
    imported = made.imported
    if json_:
        print_json(_data(made, differences))
        return
    for line in _lines(imported):
        click.echo(line)
    print_table(("replay", "conversations", "share"), _rows(imported))
    if differences:
        for demonstration in imported.found:
            for line in _difference(demonstration, imported.read.unit):
                click.echo(line)
    elif any(each.replayed.difference for each in imported.found):
        say("the first difference of each: --show-differences")
    dataset, run = made.dataset, made.run
    say(f"dataset {dataset.id} of run {run.name or run.short}: {dataset.n_examples:,} conversations")
    if made.is_new:
        say(f"now train on them: {typed(f'agentr train --run {run.name} --model MODEL')}")
    else:
        say(f"to train on them beside a run's trees: -o data.demonstrations={dataset.id}")


def _lines(imported: Imported) -> Iterator[str]:
    told = imported.read.describe()
    yield f"{imported.file}: {told or f'{imported.read.total:,} conversations'}"
    matched = Counter(each.matched for each in imported.found)
    ways = ", ".join(f"{count:,} by {'their id' if way == 'id' else 'their words'}" for way, count in matched.items())
    yield f"tasks found: {ways}; {imported.successes:,} of {len(imported.found):,} end with reward 1 here"


def _rows(imported: Imported) -> list[tuple[Any, ...]]:
    from agentr_core.train.demonstrations import OUTCOMES

    rows: list[tuple[Any, ...]] = []
    for outcome, count in imported.outcomes.items():
        rows.append((OUTCOMES[outcome], count, percent(count / len(imported.found))))
        found = [each.replayed for each in imported.found if each.replayed.outcome == outcome]
        why = Counter(each.why for each in found if each.why)
        rows += [(f"  {what}", number, "") for what, number in why.most_common()]
    return rows


def _difference(demonstration: Demonstration, unit: str) -> Iterator[str]:
    difference = demonstration.replayed.difference
    if difference is None:
        return
    where = f"turn {difference.turn}" if difference.turn else "before the first turn"
    item = f"  {demonstration.item}" if demonstration.item else ""
    title = f"{unit} {demonstration.place}{item}  task {demonstration.task.key}  {where}: {difference.what}"
    yield heading(title)
    for who, text in (("file", difference.file), ("here", difference.here)):
        for number, line in enumerate(clean(text).splitlines() or [""]):
            yield f"  {'' if number else who:<5} {line}"


def _data(made: Import, differences: bool) -> dict[str, Any]:
    found = {"dataset": made.dataset.id, "run": made.run.key, **made.imported.as_dict()}
    if differences:
        found["first_differences"] = [
            {
                made.imported.read.unit: each.place,
                "item": each.item,
                "task": each.task.key,
                **{name: getattr(each.replayed.difference, name) for name in ("what", "turn", "file", "here")},
            }
            for each in made.imported.found
            if each.replayed.difference
        ]
    return found
