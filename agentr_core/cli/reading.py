"""What the commands that look at a store share: opening it, naming its rows, and how values of it are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from agentr_core.errors import NothingToDo, UsageError
from agentr_core.process.terminal import one_line as one_line
from agentr_core.process.terminal import screen_columns, visible

if TYPE_CHECKING:
    from agentr_core.store import EvalResult, RunRow, Store, TreeRow
    from agentr_core.store.runs import Having

F = TypeVar("F", bound=Callable[..., Any])
RowT = TypeVar("RowT")
FormT = TypeVar("FormT")
#: Rows that know their environment and the key of their task.
OfEnvT = TypeVar("OfEnvT", "TreeRow", "EvalResult")

run_argument = click.argument("reference", metavar="[RUN]", default="last")
any_run_argument = click.argument("reference", metavar="[RUN]", required=False)
iteration_option = click.option("--iteration", type=int, metavar="N", help="Only of this iteration.")
env_option = click.option("--env", metavar="NAME", help="Only of this environment, of a run over several.")
output_option = click.option(
    "-o", "--output", type=click.Path(dir_okay=False), metavar="FILE", help="Write to a file instead of stdout."
)


def by_ending(output: str | None, endings: Mapping[str, FormT], hint: str) -> FormT | None:
    """What the end of a file's name asks for, by ``endings``; None for a name without an end, and where none is given.

    Raises :class:`~agentr_core.errors.UsageError` for an end that no format has, with ``hint`` what else to do.
    """
    ending = Path(output or "").suffix.lower()
    if not ending:
        return None
    if ending not in endings:
        known = ", ".join(endings)
        raise UsageError(f"-o {output}: no format ends in '{ending}' ({known}); {hint}, or give --format as well")
    return endings[ending]


def of_run(command: F) -> F:
    """``RUN`` and ``--iteration``: rows of one run."""
    return run_argument(iteration_option(command))


def of_any_run(command: F) -> F:
    """``[RUN]`` and ``--iteration``: rows of one run, or of all."""
    return any_run_argument(iteration_option(command))


def limit_option(most: int | None = None) -> Callable[[F], F]:
    """``--limit``: at most ``most`` rows unless it says otherwise."""
    return click.option(
        "-n", "--limit", type=click.IntRange(1), default=most, metavar="N", help="At most so many rows."
    )


@contextmanager
def reading(db: str) -> Iterator[Store]:
    """The project's store, for reading only."""
    from agentr_core.store import open_store

    with open_store(db, read_only=True) as store:
        yield store


def messages_json(messages: Iterable[Any]) -> list[dict[str, Any]]:
    """Turns as JSON."""
    return [{"role": turn.role, "content": turn.content, "train": turn.train} for turn in messages]


def plugin_name(run: RunRow, kind: str) -> str | None:
    """The name of the plugin that a run used for something; ``a,b`` of several environments or trainers."""
    chosen = run.config.get(kind)
    several = chosen if isinstance(chosen, list) else [chosen]
    several = [*several, *(run.config.get("trainers", ()) if kind == "trainer" else ())]
    names = [str(one["name"]) for one in several if isinstance(one, dict) and "name" in one]
    return ",".join(names) or None


def task_name(run: RunRow, env: str, task: str) -> str:
    """A task of a run in a table; with its environment where the run has several: ``webshop/1401``."""
    return f"{env}/{task}" if isinstance(run.config.get("env"), list) else task


def of_environment(run: RunRow, env: str | None, rows: Sequence[OfEnvT]) -> list[OfEnvT]:
    """Those of some rows of a run that are of one environment; all where none is named.

    Raises :class:`~agentr_core.errors.UsageError` for one that the run does not have.
    """
    names = (plugin_name(run, "env") or "").split(",")
    if env is not None and env not in names:
        raise UsageError(f"--env: run {run.short} has no environment '{env}'; it has: {', '.join(names)}")
    return [row for row in rows if env in (None, row.env)]


def named_task(rows: Sequence[OfEnvT], which: str) -> list[OfEnvT]:
    """The rows of the task that is called so: by its key, or as listings of several environments have it,
    ``webshop/1401``.

    Raises :class:`~agentr_core.errors.UsageError` for a key that tasks of several environments have.
    """
    found = [row for row in rows if which in (row.task, f"{row.env}/{row.task}")]
    if len(envs := list(dict.fromkeys(row.env for row in found))) > 1:
        names = " or ".join(f"{env}/{which}" for env in envs)
        raise UsageError(f"several environments have a task '{which}': write {names}")
    return found


def clean(text: str) -> str:
    """Text that is safe on a terminal, tabs as blanks: what a terminal would obey is shown instead."""
    return visible(text).replace("\t", " ")


def screen_width() -> int:
    """Columns of the terminal, also of one behind a pager; 120 where the output goes elsewhere."""
    return screen_columns(120)


def when(time: str | None) -> str | None:
    """A stored time on the clock of this place."""
    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M") if time else None


def took(start: str | None, end: str | None) -> str | None:
    """The time between two stored times."""
    from agentr_core.runs.stages import time_between

    return time_between(start, end)


def percent(share: float | None) -> str | None:
    """A share in percent."""
    return None if share is None else f"{100 * share:.1f}%"


def number(text: str, noun: str) -> int:
    """An id that the user typed."""
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"'{text}' is no number of a {noun}; list them with: agentr {noun}s list") from None


def run_id(store: Store, reference: str | None, having: Having) -> int | None:
    """The id of a run (``last``: of the newest that has what is asked); None where none is named."""
    return store.runs.find(reference, having).id if reference else None


def by_number_or_run(
    store: Store,
    which: str,
    by_number: Callable[[int], RowT],
    by_run: Callable[[int], Sequence[RowT]],
    having: Having,
    missing: str,
) -> RowT:
    """The row with this number, or the newest one of a run.

    ``missing`` is said of a run that has none, and ends in the command that makes one.
    """
    if which.isdecimal() and len(which) < 20:
        return by_number(int(which))
    run = store.runs.find(which, having)
    found = by_run(run.id)
    if not found:
        raise NothingToDo(f"run {run.short} has {missing} --run {run.short}")
    return found[-1]
