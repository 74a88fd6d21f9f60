"""``agentr evals``: evaluations, task by task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json, say
from agentr_core.cli.reading import (
    export,
    iteration_option,
    limit_option,
    listing,
    messages_json,
    number,
    output_option,
    reading,
    run_argument,
)
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.store import EvalResult, EvalRow, Store


@click.group(cls=ListingGroup)
def evals() -> None:
    """List and show evaluations, task by task."""


@evals.command("list")
@run_argument
@iteration_option
@limit_option
@db_option
@json_option
def list_(reference: str, iteration: int | None, limit: int | None, db: str, json_: bool) -> None:
    """The evaluations of a run."""
    with reading(db) as store:
        run = store.runs.find(reference)
        found = store.evaluations.select(run.id, iteration=iteration)
    headers = ("eval", "iteration", "kind", "split", "status", "tasks", "success", "reward", "steps", "model")
    rows = [(_cells(row), row.as_dict()) for row in found]
    listing(headers, rows, json_=json_, limit=limit, empty=f"run {run.short} has no evaluations")


def _cells(row: EvalRow) -> tuple[Any, ...]:
    from agentr_core.runs.report import interval

    metrics = row.metrics
    counts = (f"{metrics[name]:.{digits}f}" for name, digits in (("tasks", 0),)) if metrics else (None,)
    rates = (interval(metrics), f"{metrics['reward']:.2f}", f"{metrics['steps']:.1f}") if metrics else (None,) * 3
    return (row.id, row.iteration, row.kind, row.split, row.status, *counts, *rates, row.model)


@evals.command()
@click.argument("which", metavar="EVAL")
@click.argument("task", required=False)
@click.option("--success/--failed", default=None, help="Only tasks that succeeded, or failed.")
@limit_option
@db_option
@json_option
def show(which: str, task: str | None, success: bool | None, limit: int | None, db: str, json_: bool) -> None:
    """The tasks of an evaluation; with TASK (a key), the conversation of that one."""
    with reading(db) as store:
        row = store.evaluations.get(number(which, "eval"))
        results = store.evaluations.results(row.id)
        if task is not None:
            _show_task(store, row, results, task, json_)
            return
    chosen = [result for result in results if success is None or result.success == success]
    headers = ("task", "reward", "success", "steps", "invalid", "loops", "tokens", "seconds", "error")
    listing(
        headers,
        [(_result_cells(result), _result_json(result)) for result in chosen],
        json_=json_,
        limit=limit,
        empty=f"evaluation {row.id} has no such tasks",
    )
    if not json_:
        say(f"evaluation {row.id}: {row.kind}, {row.split}, {row.model}; one task: agentr evals show {row.id} TASK")
        profile = [(name.removeprefix("repeats_"), value) for name, value in row.metrics.items() if "repeats_" in name]
        if profile:
            points = ", ".join(f"{value:.2f} of length {length}" for length, value in profile)
            say(f"repeats in a row of action sequences, 1 being none (Agent-R figure 4): {points}")


def _result_cells(r: EvalResult) -> tuple[Any, ...]:
    seconds = None if r.elapsed_seconds is None else f"{r.elapsed_seconds:.1f}"
    counts = (r.steps, r.invalid, r.loops, r.prompt_tokens + r.completion_tokens, seconds)
    return (r.task, f"{r.reward:.2f}", "yes" if r.success else "no", *counts, r.error or "")


def _result_json(result: EvalResult) -> dict[str, Any]:
    return {name: value for name, value in result.as_dict().items() if name != "messages"}


def _show_task(store: Store, row: EvalRow, results: list[EvalResult], task: str, json_: bool) -> None:
    from agentr_core.cli.conversations import turns

    found = [result for result in results if result.task == task]
    if not found:
        raise UsageError(f"evaluation {row.id} has no task '{task}'; list them with: agentr evals show {row.id}")
    for result in found:
        messages = store.conversations.get(result.conversation) if result.conversation else ()
        if json_:
            print_json({**_result_json(result), "messages": messages_json(messages)})
            continue
        outcome = f"failed: {result.error}" if result.error else f"reward {result.reward:.2f}, {result.steps} steps"
        click.echo(click.style(f"evaluation {row.id}  {task} · {outcome}", bold=True))
        for line in turns(messages):
            click.echo(line)


@evals.command("export")
@run_argument
@iteration_option
@output_option
@db_option
def export_(reference: str, iteration: int | None, output: str | None, db: str) -> None:
    """Every evaluated task of a run with its conversation, one JSON object a line."""
    with reading(db) as store:
        run = store.runs.find(reference)
        export(_rows(store, store.evaluations.select(run.id, iteration=iteration)), output, "results")


def _rows(store: Store, rows: list[EvalRow]) -> Iterator[dict[str, Any]]:
    for row in rows:
        where = {"eval": row.id, "iteration": row.iteration, "kind": row.kind, "split": row.split, "model": row.model}
        for result in store.evaluations.results(row.id):
            messages = store.conversations.get(result.conversation) if result.conversation else ()
            yield {**where, **_result_json(result), "messages": messages_json(messages)}
