"""``agentr evals``: evaluations, task by task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page, exports, lists, with_store
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import json_option
from agentr_core.cli.output import heading, print_json, say
from agentr_core.cli.reading import (
    env_option,
    limit_option,
    messages_json,
    named_task,
    number,
    of_environment,
    of_run,
    task_name,
)
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.store import EvalResult, EvalRow, RunRow, Store


_COLUMNS = (
    "eval", "measured", "success (95%)", "against baseline (95%)", "tasks", "kind", "split", "status", "pass@K",
    "reward", "steps", "iteration", "model", "other settings",
)  # fmt: skip


@click.group(cls=ListingGroup)
def evals() -> None:
    """List and show evaluations, task by task."""


@evals.command("list")
@of_run
@lists()
def list_(store: Store, reference: str, iteration: int | None) -> Listing:
    """The evaluations of a run: what was measured, how it did, and what it gained on the run's first model."""
    from agentr_core.runs.report import iteration_rows

    run = store.runs.find(reference, having="evaluations")
    found = store.evaluations.select(run.id, iteration=iteration)
    known = {row["eval"]: row for row in iteration_rows(store, run)}
    rows = [(_cells(run, row, known.get(row.id)), row.as_dict()) for row in found]
    return Listing(_COLUMNS, rows, empty=f"run {run.short} has no evaluations")


def _cells(run: RunRow, row: EvalRow, known: dict[str, Any] | None) -> tuple[Any, ...]:
    from agentr_core.evaluate.metrics import interval, pass_at
    from agentr_core.runs.labels import other_settings
    from agentr_core.runs.report import gain_text

    metrics = row.metrics
    rates: tuple[Any, ...] = (None, None, None, None)
    if metrics:
        rates = (interval(metrics), pass_at(metrics) or None, f"{metrics['reward']:.2f}", f"{metrics['steps']:.1f}")
    tasks = f"{metrics['tasks']:.0f}" if metrics else None
    settings = " ".join(f"{name}={value}" for name, value in other_settings(run, row).items())
    label, gain = (known["label"], gain_text(known)) if known else (None, None)
    what = (tasks, row.kind, row.split, row.status)
    return (row.id, label, rates[0], gain, *what, *rates[1:], row.iteration, row.model, settings or None)


@evals.command()
@click.argument("which", metavar="EVAL")
@click.argument("task", required=False)
@click.option("--success/--failed", default=None, help="Only tasks that succeeded, or failed.")
@env_option
@limit_option()
@with_store
@json_option
def show(
    store: Store,
    which: str,
    task: str | None,
    success: bool | None,
    env: str | None,
    limit: int | None,
    json_: bool,
) -> None:
    """The tasks of an evaluation; with TASK (a key), the conversation of that one, of each of its repeats."""
    row = store.evaluations.get(number(which, "eval"))
    run = store.runs.get(row.run_id)
    results = of_environment(run, env, store.evaluations.results(row.id))
    if task is not None:
        _show_task(list(_task_pages(store, row, results, task)), json_=json_)
        return
    chosen = [result for result in results if success is None or result.success == success]
    headers = ("task", "repeat", "reward", "success", "steps", "invalid", "loops", "tokens", "seconds", "error")
    rows = [(_result_cells(run, result), _result_json(result)) for result in chosen]
    note = "seconds: from an episode's start to its end, while others were played"
    Listing(headers, rows, empty=f"evaluation {row.id} has no such tasks", note=note).print(json_=json_, limit=limit)
    if not json_:
        _say_what_it_was(row)


def _show_task(pages: list[Page], *, json_: bool) -> None:
    if json_ and len(pages) > 1:  # one document, whatever the number of repeats
        print_json([page.data for page in pages])
        return
    for page in pages:
        page.print(json_=json_)


def _say_what_it_was(row: EvalRow) -> None:
    if "repeats" in row.metrics:
        from agentr_core.evaluate.metrics import interval, pass_at

        say(f"success {interval(row.metrics)} · {pass_at(row.metrics)}")
    say(f"evaluation {row.id}: {row.kind}, {row.split}, {row.model}; one task: agentr evals show {row.id} TASK")
    profile = [(name.removeprefix("repeats_"), value) for name, value in row.metrics.items() if "repeats_" in name]
    if profile:
        points = ", ".join(f"{value:.2f} of length {length}" for length, value in profile)
        say(f"repeats in a row of action sequences, 1 being none (Agent-R figure 4): {points}")


def _result_cells(run: RunRow, r: EvalResult) -> tuple[Any, ...]:
    seconds = None if r.elapsed_seconds is None else f"{r.elapsed_seconds:.1f}"
    counts = (r.steps, r.invalid, r.loops, r.prompt_tokens + r.completion_tokens, seconds)
    return (
        task_name(run, r.env, r.task),
        r.repeat,
        f"{r.reward:.2f}",
        "yes" if r.success else "no",
        *counts,
        r.error or "",
    )


def _result_json(result: EvalResult) -> dict[str, Any]:
    return {name: value for name, value in result.as_dict().items() if name != "messages"}


def _task_pages(store: Store, row: EvalRow, results: list[EvalResult], task: str) -> Iterator[Page]:
    from agentr_core.cli.conversations import turns

    found = named_task(results, task)
    if not found:
        raise UsageError(f"evaluation {row.id} has no task '{task}'; list them with: agentr evals show {row.id}")
    for result in found:
        messages = store.conversations.get(result.conversation) if result.conversation else ()
        outcome = f"failed: {result.error}" if result.error else f"reward {result.reward:.2f}, {result.steps} steps"
        which = f" · repeat {result.repeat}" if len(found) > 1 else ""
        title = heading(f"evaluation {row.id}  {task}{which} · {outcome}")
        yield Page({**_result_json(result), "messages": messages_json(messages)}, (title, *turns(messages)))


@evals.command("export")
@of_run
@exports
def export_(store: Store, reference: str, iteration: int | None) -> Export:
    """Every evaluated task of a run with its conversation, one JSON object a line."""
    run = store.runs.find(reference, having="evaluations")
    return Export(_rows(store, store.evaluations.select(run.id, iteration=iteration)), "results")


def _rows(store: Store, rows: list[EvalRow]) -> Iterator[dict[str, Any]]:
    for row in rows:
        where = {"eval": row.id, "iteration": row.iteration, "kind": row.kind, "split": row.split, "model": row.model}
        for result in store.evaluations.results(row.id):
            messages = store.conversations.get(result.conversation) if result.conversation else ()
            yield {**where, **_result_json(result), "messages": messages_json(messages)}
