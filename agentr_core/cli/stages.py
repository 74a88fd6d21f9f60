"""``agentr search | revise | train | eval``: single stages over the same store."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.options import json_option, resolve_settings, run_options_without
from agentr_core.cli.output import print_json, say
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentr_core.settings.layers import Resolved
    from agentr_core.store.runs import Having

_run_option = click.option("--run", "reference", default="last", metavar="RUN", help="The run whose trees are used.")


@click.command()
@run_options_without("--out")
@json_option
@click.pass_context
def search(ctx: click.Context, /, json_: bool, **_: Any) -> int:
    """Grow trees of attempts and keep them, for critics and trainers to come."""
    from agentr_core.process.progress import Progress
    from agentr_core.runs import start_and_resume

    resolved = resolve_settings(ctx)
    outcome = start_and_resume.run(
        resolved.config, db=resolved.db, name=resolved.name, stages=("search",), progress=Progress()
    )
    if json_:
        print_json({"run": outcome.run.key, "status": outcome.run.status, "failed": outcome.failed})
    say(f"run {outcome.run.short}; now find first errors: agentr revise --run {outcome.run.short} --critic actor")
    return 3 if outcome.failed else 0


@click.command()
@_run_option
@click.option("--iteration", type=int, metavar="N", help="Only this iteration [all that have trees].")
@run_options_without("--out", "--name")
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
    _report([dict(row) for row in metrics], json_)
    return 3 if any(row["failed"] for row in metrics) else 0


@click.command()
@_run_option
@click.option("--iteration", type=int, default=1, show_default=True, metavar="N", help="The iteration to train on.")
@run_options_without("--name")
@json_option
@click.pass_context
def train(ctx: click.Context, /, reference: str, iteration: int, json_: bool, **_: Any) -> None:
    """Fine-tune on what a critic made of a run's trees.

    agentr train --run RUN --critic value --recipe agent-r -o sft.lora=true
    """
    from agentr_core.process.progress import Progress
    from agentr_core.runs import single_stages

    resolved, reference = _over_stored(ctx, reference, "revisions")
    out = None if resolved.out is None else Path(resolved.out)
    metrics = single_stages.train_again(
        reference, resolved.config, db=resolved.db, iteration=iteration, out=out, progress=Progress()
    )
    _report([dict(metrics)], json_)


@click.command()
@click.option("--run", "reference", metavar="RUN", help="Measure a model of this run.")
@click.option("--checkpoint", metavar="ID", help="A checkpoint of the run: its number, or 'last'.")
@run_options_without("--out")
@json_option
@click.pass_context
def evaluate(ctx: click.Context, /, reference: str | None, checkpoint: str | None, json_: bool, **_: Any) -> int:
    """Measure a policy on tasks it has not seen: of a run, or any by itself.

    agentr eval --run RUN --checkpoint last --eval-split valid        agentr eval --env textcraft --model PATH_OR_ID
    """
    from agentr_core.cli.run import close
    from agentr_core.process.progress import Progress
    from agentr_core.runs import single_stages, start_and_resume
    from agentr_core.runs.preflight import measured_on_training

    if reference is None and checkpoint is None:
        resolved = resolve_settings(ctx)
        outcome = start_and_resume.run(
            resolved.config, db=resolved.db, name=resolved.name, stages=("evaluate",), progress=Progress()
        )
        return close(outcome, resolved.db, json_)
    resolved, reference = _over_stored(ctx, reference or "last", "checkpoints" if checkpoint else "trees")
    _check_one_model(resolved, checkpoint)
    if told := measured_on_training(resolved.config):
        say(f"warning: evaluate.split: {told}")
    metrics = single_stages.evaluate_again(
        reference, resolved.config, db=resolved.db, checkpoint=checkpoint, progress=Progress()
    )
    _report([dict(metrics)], json_)
    return 0


def _check_one_model(resolved: Resolved, checkpoint: str | None) -> None:
    """Refuse what names two models, or a run that is none: one of the two would be left out."""
    named = resolved.sources.get("policy.model", "")
    if checkpoint is not None and named.startswith("-"):
        raise UsageError(f"--checkpoint {checkpoint} and {named} name two models; give one of the two")
    if resolved.sources.get("name") == "--name":
        raise UsageError("--name: names a run that begins, and --run and --checkpoint are about one that is stored")


def _over_stored(ctx: click.Context, reference: str, having: Having) -> tuple[Resolved, str]:
    """What the user asked for, over the settings that a stored run was started with; and the key of that run."""
    from agentr_core.settings.layers import stored_layer
    from agentr_core.store import open_store

    path = ctx.params.get("db") or "agentr.db"
    with open_store(path, read_only=True) as store:
        row = store.runs.find(reference, having)
    return resolve_settings(ctx, below=stored_layer(f"run {row.short}", row.config)), row.key


def _report(rows: list[dict[str, Any]], json_: bool) -> None:
    if json_:
        print_json(rows)
        return
    for row in rows:
        click.echo("  ".join(_cells(row)))


def _cells(row: Mapping[str, Any]) -> list[str]:
    return [f"{name} {value:g}" if isinstance(value, int | float) else f"{name} {value}" for name, value in row.items()]
