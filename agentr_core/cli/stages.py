"""``agentr search | revise | train | eval``: single stages over the same store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from agentr_core.cli.options import json_option, resolve_settings, stage_options
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentr_core.runs.report import Table
    from agentr_core.settings.layers import Resolved
    from agentr_core.store import RunRow, Store
    from agentr_core.store.runs import Having

_run_option = click.option("--run", "reference", default="last", metavar="RUN", help="The run whose trees are used.")


@click.command()
@stage_options("search")
@click.option("--shard", metavar="I/N", help="Grow part I of N alone, in a database of its own: agentr db merge.")
@json_option
@click.pass_context
def search(ctx: click.Context, /, shard: str | None, json_: bool, **_: Any) -> int:
    """Grow trees of attempts and keep them, for critics and trainers to come."""
    from agentr_core.cli.calling import typed
    from agentr_core.process.progress import Progress
    from agentr_core.run_context import Shard
    from agentr_core.runs import start_and_resume

    part = Shard.parse(shard) if shard is not None else None
    resolved = resolve_settings(ctx)
    outcome = start_and_resume.run(
        resolved.config,
        db=resolved.db,
        name=resolved.name,
        stages=("search",),
        sources=resolved.sources,
        progress=Progress(),
        shard=part,
    )
    if json_:
        print_json({"run": outcome.run.key, "status": outcome.run.status, "failed": outcome.failed})
    if part is not None:
        merged = typed(f"agentr db merge {resolved.db} ... --into all.db")
        say(f"run {outcome.run.short}, part {part}; once all parts are there: {merged}")
        return 3 if outcome.failed else 0
    command = typed(f"agentr revise --run {outcome.run.short} --critic actor")
    say(f"run {outcome.run.short}; now find first errors: {command}")
    return 3 if outcome.failed else 0


@click.command()
@_run_option
@click.option("--iteration", type=int, metavar="N", help="Only this iteration [all that have trees].")
@stage_options("revise")
@json_option
@click.pass_context
def revise(ctx: click.Context, /, reference: str, iteration: int | None, json_: bool, **_: Any) -> int:
    """Find first errors in stored trees and splice revision trajectories, with any critic.

    The run's own settings hold where none are given: agentr revise --run RUN --critic value
    """
    from agentr_core.process.progress import Progress
    from agentr_core.runs import single_stages

    resolved, reference = _over_stored(ctx, reference, "trees")
    metrics = single_stages.revise_again(
        reference, resolved.config, db=resolved.db, iteration=iteration, progress=Progress()
    )
    _report([dict(row) for row in metrics], json_, resolved.db, reference, "critics")
    return 3 if any(row["failed"] for row in metrics) else 0


@click.command()
@_run_option
@click.option("--iteration", type=int, default=1, show_default=True, metavar="N", help="The iteration to train on.")
@stage_options("train")
@json_option
@click.pass_context
def train(ctx: click.Context, /, reference: str, iteration: int, json_: bool, **_: Any) -> None:
    """Train on a run's trees: on what a critic made of them, or on their actions, preferences or values.

    \b
    agentr train --run RUN --critic value --recipe agent-r -o sft.lora=true
    agentr train --run RUN --trainer tree
    """
    from agentr_core.process.progress import Progress
    from agentr_core.runs import single_stages

    resolved, reference = _over_stored(ctx, reference, "revisions")
    out = None if resolved.out is None else Path(resolved.out)
    metrics = single_stages.train_again(
        reference, resolved.config, db=resolved.db, iteration=iteration, out=out, progress=Progress()
    )
    _report([dict(metrics)], json_, resolved.db, reference, "checkpoint")


@click.command()
@click.option("--run", "reference", metavar="RUN", help="Measure a model of this run.")
@click.option("--checkpoint", metavar="ID", help="A checkpoint of the run: its number, or 'last'.")
@stage_options("evaluate")
@json_option
@click.pass_context
def evaluate(ctx: click.Context, /, reference: str | None, checkpoint: str | None, json_: bool, **_: Any) -> int:
    """Measure a policy on tasks it has not seen: of a run, or any by itself.

    \b
    agentr eval --run RUN --checkpoint last --eval-split valid
    agentr eval --env textcraft --model PATH_OR_ID
    """
    from agentr_core.cli.run import close
    from agentr_core.process.progress import Progress
    from agentr_core.runs import single_stages, start_and_resume
    from agentr_core.runs.preflight import measured_on_training

    if reference is None and checkpoint is None:
        resolved = resolve_settings(ctx)
        outcome = start_and_resume.run(
            resolved.config,
            db=resolved.db,
            name=resolved.name,
            stages=("evaluate",),
            sources=resolved.sources,
            progress=Progress(),
        )
        return close(outcome, resolved.db, json_)
    if ctx.params["name"] and ctx.get_parameter_source("name") is ParameterSource.COMMANDLINE:
        raise UsageError("--name: names a run, and this measures a model of one; tables name it by model and settings")
    resolved, reference = _over_stored(ctx, reference or "last", "checkpoints" if checkpoint else "trees")
    _check_one_model(resolved, checkpoint)
    if told := measured_on_training(resolved.config):
        say(f"warning: evaluate.split: {told}")
    metrics = single_stages.evaluate_again(
        reference, resolved.config, db=resolved.db, checkpoint=checkpoint, progress=Progress()
    )
    _report([dict(metrics)], json_, resolved.db, reference, "iterations")
    return 0


def _check_one_model(resolved: Resolved, checkpoint: str | None) -> None:
    """Refuse what names two models: one of the two would be left out."""
    named = resolved.sources.get("policy.model", "")
    if checkpoint is not None and named.startswith("-"):
        raise UsageError(f"--checkpoint {checkpoint} and {named} name two models; give one of the two")


def _over_stored(ctx: click.Context, reference: str, having: Having) -> tuple[Resolved, str]:
    """What the user asked for, over the settings that a stored run was started with; and the key of that run."""
    from agentr_core.settings.layer import stored_layer
    from agentr_core.store import open_store

    path = ctx.params.get("db") or "agentr.db"
    with open_store(path, read_only=True) as store:
        row = store.runs.find(reference, having)
    return resolve_settings(ctx, below=stored_layer(f"run {row.short}", row.config)), row.key


def _report(rows: list[dict[str, Any]], json_: bool, db: str, reference: str, what: str) -> None:
    """The metrics as JSON; to read, the table of the run in which they stand."""
    if json_:
        print_json(rows)
        return
    from agentr_core.runs import report
    from agentr_core.store import open_store

    with open_store(db, read_only=True) as store:
        run = store.runs.find(reference)
        if what == "checkpoint":
            table = _checkpoint_table(store, run, rows[0])
        else:
            table = report.critics(store, [run]) if what == "critics" else report.iterations(store, run)
    print_table(table.columns, table.rows)
    for note in table.notes:
        say(note)


def _checkpoint_table(store: Store, run: RunRow, metrics: Mapping[str, Any]) -> Table:
    from agentr_core.runs.report import Table

    made = store.checkpoints.select(run.id, complete=True)
    rows = [["checkpoint", str(made[-1].id)], ["model", made[-1].path]] if made else []
    rows += [[name, f"{value:g}"] for name, value in metrics.items()]
    return Table(["trained", ""], rows, [dict(metrics)])
