"""``agentr tasks``: the tasks of an environment, or those that a store knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import db_option, environment_options, json_option, plugin_options
from agentr_core.cli.output import heading
from agentr_core.cli.reading import clean, limit_option, one_line, reading
from agentr_core.errors import EnvironmentFailure, UsageError, boundary

if TYPE_CHECKING:
    from agentr_core.interfaces.environment import AnyEnvironment
    from agentr_core.records import Task

env_option = click.option("--env", metavar="NAME", help="The environment; without it, the tasks in the database.")
needed_env_option = click.option("--env", metavar="NAME", required=True, help="The environment.")
setting_option = click.option(
    "-o", "options", multiple=True, metavar="KEY=VALUE", help="The environment's options, e.g. -o rules=strict."
)
split_option = click.option("--split", metavar="NAME", help="Only of this split.")


@click.group(cls=ListingGroup)
def tasks() -> None:
    """List, show and export tasks."""


@tasks.command("list")
@env_option
@setting_option
@split_option
@limit_option()
@plugin_options
@db_option
@json_option
def list_(
    env: str | None, options: tuple[str, ...], split: str | None, limit: int | None, db: str, json_: bool
) -> None:
    """The tasks of an environment (--env), or those that the runs in the database have met."""
    found = _stored(db, split) if env is None else _offered(env, options, split)
    found.print(json_=json_, limit=limit)


def _offered(env: str, options: tuple[str, ...], split: str | None) -> Listing:
    found = _of_splits(env, options, split)
    rows = [(_cells(task), task.model_dump(mode="json")) for task in found]
    headers = ("task", "split", "instruction", "metadata")
    return Listing(headers, rows, empty=f"the environment '{env}' has no such tasks")


def _stored(db: str, split: str | None) -> Listing:
    with reading(db) as store:
        found = store.tasks.select(split=split)
        trees = Counter(row.task_id for row in store.trees.select())
    rows = [((row.env, *_cells(row.task()), trees[row.id]), {**row.as_dict(), "trees": trees[row.id]}) for row in found]
    headers = ("env", "task", "split", "instruction", "metadata", "trees")
    return Listing(headers, rows, empty="no run has met a task yet; those of one: --env NAME")


def _cells(task: Task) -> tuple[Any, ...]:
    return (task.key, task.split, one_line(task.instruction, 60), _metadata(task.metadata))


def _metadata(values: Mapping[str, Any]) -> str:
    return one_line(" ".join(f"{key}={value}" for key, value in values.items()), 60)


@tasks.command()
@click.argument("key")
@click.option("--env", metavar="NAME", help="The environment; without it, the one whose task of this key is stored.")
@setting_option
@plugin_options
@db_option
@json_option
def show(key: str, env: str | None, options: tuple[str, ...], db: str, json_: bool) -> None:
    """One task: what the agent is shown first, and how an expert does it."""
    env = env or _stored_environment(key, db)
    environment = _environment(env, options)
    with boundary(EnvironmentFailure, f"'{env}' could not show the task '{key}'"):
        task = environment.task(key)
        first, expert = environment.reset(task), environment.demonstrate(task)
        demonstration = None if expert is None else list(expert)
    data = {**task.model_dump(mode="json"), "observation": first, "demonstration": demonstration}
    title = heading(f"{task.key}  {task.split}  {_metadata(task.metadata)}")
    Page(data, (title, clean(first), *_numbered(demonstration or ()))).print(json_=json_)


def _stored_environment(key: str, db: str) -> str:
    """The environment that a stored task is of; :class:`UsageError` where none is, or several are."""
    with reading(db) as store:
        names = sorted({row.env for row in store.tasks.select() if row.key == key})
    if len(names) == 1:
        return names[0]
    found = f"several environments have a task '{key}': {', '.join(names)}" if names else f"no run has met '{key}'"
    raise UsageError(f"{found}; say which one: --env NAME")


def _numbered(actions: Iterable[str]) -> Iterator[str]:
    for number, action in enumerate(actions, 1):
        yield f"{click.style(f'{number:>4}', dim=True)}  {clean(action)}"


@tasks.command("export")
@needed_env_option
@setting_option
@split_option
@click.option("--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file instead of stdout.")
@plugin_options
def export_(env: str, options: tuple[str, ...], split: str | None, output: str | None) -> None:
    """The tasks of an environment, one JSON object a line."""
    found = _of_splits(env, options, split)
    Export((task.model_dump(mode="json") for task in found), "tasks").write(output)


def _of_splits(env: str, options: tuple[str, ...], split: str | None) -> list[Task]:
    from agentr_core.play.offered_tasks import offered_tasks

    environment = _environment(env, options)
    with boundary(EnvironmentFailure, f"'{type(environment).__name__}' could not name its splits"):
        names = environment.splits() if split is None else (split,)
    found = [task for name in names for task in offered_tasks(environment, name)]
    return [task.model_copy(update={"env": env}) for task in found]


def _environment(name: str, options: tuple[str, ...]) -> AnyEnvironment:
    from agentr_core.registry.lookup import registry

    values = environment_options(name, options)
    made: AnyEnvironment = registry().create("env", name, values)
    return made
