"""``agentr run`` and ``agentr resume``: the whole loop from one command."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.options import db_option, json_option, plugin_options, resolve_settings, run_options
from agentr_core.cli.output import print_json, print_table, say
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.runs.start_and_resume import RunOutcome
    from agentr_core.settings.layers import Resolved
    from agentr_core.settings.run_config import ChosenPlugin


@click.command()
@run_options
@click.option("--resume", "resumed", metavar="RUN", help="Go on with a run, whose configuration must be this one.")
@click.option(
    "--dry-run", is_flag=True, help="Check all that can be, print the plan and what it may cost, and do nothing."
)
@json_option
@click.pass_context
def run(ctx: click.Context, /, resumed: str | None, dry_run: bool, json_: bool, **_: Any) -> int:
    """Search, revise, train and evaluate, iteration after iteration.

    agentr run --env textcraft --searcher mcts
    """
    from agentr_core.process.progress import Progress
    from agentr_core.runs import start_and_resume

    resolved = resolve_settings(ctx)
    for line in limits_told(resolved):
        say(line)
    if dry_run:
        return _print_plan(resolved, json_)
    progress = Progress()
    if resumed is not None:
        _check_resumed(resolved)
        outcome = start_and_resume.resume(resumed, db=resolved.db, config=resolved.config, progress=progress)
    else:
        outcome = start_and_resume.run(
            resolved.config,
            db=resolved.db,
            out=resolved.out,
            name=resolved.name,
            sources=resolved.sources,
            progress=progress,
        )
    return close(outcome, resolved.db, json_)


def _check_resumed(resolved: Resolved) -> None:
    """A run that goes on has its name and its folder already."""
    for key in ("name", "out"):
        if resolved.sources.get(key) == f"--{key}":
            raise UsageError(f"--{key}: the run that --resume goes on with has its own already; leave it out")


def _executor_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--executor NAME`` and its options: a run may go on elsewhere than it was begun."""
    command = click.option(
        "-o",
        "options",
        multiple=True,
        metavar="KEY=VALUE",
        help="Of the executor, e.g. -o processes.workers=4.",
    )(command)
    return click.option(
        "--executor", metavar="NAME", help="Where the work is done from now on; local: in this process [as before]."
    )(command)


@click.command()
@click.argument("reference", metavar="[RUN]", default="last")
@_executor_options
@db_option
@plugin_options
@json_option
def resume(reference: str, db: str, executor: str | None, options: tuple[str, ...], json_: bool) -> int:
    """Go on with a run that was interrupted: its key, its name, or 'last'."""
    return _go_on(reference, db, executor, options, json_, again=False)


def _go_on(reference: str, db: str, executor: str | None, options: Sequence[str], json_: bool, *, again: bool) -> int:
    from agentr_core.process.progress import Progress
    from agentr_core.runs import start_and_resume

    stored = _executor_of(reference, db) if executor is None and options else None
    chosen = _chosen_executor(executor, options, stored)
    outcome = start_and_resume.resume(reference, db=db, progress=Progress(), again=again, executor=chosen)
    return close(outcome, db, json_)


def _executor_of(reference: str, db: str) -> ChosenPlugin:
    """The executor that a run was begun with."""
    from agentr_core.cli.reading import reading
    from agentr_core.runs.start_and_resume import stored_config

    with reading(db) as store:
        return stored_config(store.runs.find(reference))[0].executor


def _chosen_executor(name: str | None, options: Sequence[str], stored: ChosenPlugin | None) -> ChosenPlugin | None:
    """The executor that was asked for, with its options; None where the run's own is to do as it is.

    Options alone are about the run's own, ``stored``, and the rest of it stays.
    """
    from agentr_core.interfaces.executor import LOCAL
    from agentr_core.registry.lookup import registry
    from agentr_core.settings.layer import flag_layer
    from agentr_core.settings.run_config import ChosenPlugin

    values = flag_layer({}, options).values
    name, kept = (name, {}) if stored is None else (stored.name, stored.options)
    if name is None:
        return None
    if name == LOCAL and not values:
        return ChosenPlugin(name=LOCAL)
    if wrong := [key for key in values if key not in (name, "executor")]:
        raise UsageError(
            f"-o {wrong[0]}: a run that goes on keeps its settings; only options of its executor '{name}' can be given "
            "(--executor NAME takes another)"
        )
    given = {**kept, **values.get(name, {}), **values.get("executor", {})}
    return ChosenPlugin(name=name, options=registry().validate("executor", name, given).model_dump(mode="json"))


@click.command()
@click.argument("reference", metavar="[RUN]", default="last")
@_executor_options
@db_option
@plugin_options
@json_option
def retry(reference: str, db: str, executor: str | None, options: tuple[str, ...], json_: bool) -> int:
    """Take up again what failed in a run, though it came to its end: trees and episodes, and what was made of them.

    What a stage made before is kept; the stages that follow are done again over all there is now.
    """
    return _go_on(reference, db, executor, options, json_, again=True)


def close(outcome: RunOutcome, db: str, json_: bool) -> int:
    """Print the closing table and what to type next; exit code 3 where items failed."""
    from agentr_core.errors import ExitCode
    from agentr_core.runs.costs import costs
    from agentr_core.runs.report import account_lines, iterations
    from agentr_core.store import open_store

    with open_store(db, read_only=True) as store:
        table, odd = iterations(store, outcome.run), account_lines(store, outcome.run)
        each = costs(store, outcome.run)
    if json_:
        told = {"failed": outcome.failed, "account": odd}
        print_json(
            {
                "run": outcome.run.key,
                "status": outcome.run.status,
                **told,
                "rows": table.data,
                "environments": each.data,
            }
        )
    else:
        say("")
        if table.rows:
            print_table(table.columns, table.rows)
        if each.rows:
            say("")
            print_table(each.columns, each.rows)
        for line in odd:
            say(line)
        next_commands(outcome, db)
    if outcome.failed:
        from agentr_core.cli.calling import typed

        key = outcome.run.short
        look = f"agentr trees list {key} --status failed, agentr evals list {key}"
        say(f"{outcome.failed} trees or episodes failed: {typed(look)}")
        say(f"take them up again with: {typed(f'agentr retry {key}')}")
        return ExitCode.PARTIAL
    return ExitCode.OK


def limits_told(resolved: Resolved) -> Iterator[str]:
    """What the preset has changed for the model at hand, and why: one line, where there is any."""
    told = {source for source in resolved.sources.values() if source.startswith("preset") and " for " in source}
    for source in sorted(told):
        yield f"{source} (agentr config show tells each setting; -o changes it)"


def next_commands(outcome: RunOutcome, db: str) -> None:
    """What to type next, as it works here, and fits what the run was."""
    from agentr_core.cli.calling import typed
    from agentr_core.registry.lookup import registry
    from agentr_core.runs.labels import environment_names

    where = "" if db == "agentr.db" else f" --db {db}"

    key, env = outcome.run.short, environment_names(outcome.run.config)
    if outcome.run.config["stages"] == ["evaluate"]:
        lines = [
            ("Look at the tasks:", f"agentr evals list {key}{where}"),
            ("Another model:", f"agentr eval --run {key} --model PATH_OR_ID{where}"),
            ("Let it learn:", f"agentr run --env {env} --searcher mcts --model PATH_OR_ID"),
        ]
    else:
        lines = [
            ("Look at a tree:", f"agentr trees show {key} --failed{where}"),
            ("Another critic:", f"agentr revise --run {key} --critic value{where}"),
            ("", f"agentr compare --critics {key}{where}"),
            ("Your own model:", f"agentr run --env {env} --searcher mcts --model PATH_OR_ID"),
        ]
    added = [command for command in registry().commands().values() if command.for_run]
    lines = [(f"{each.for_run}:", f"agentr {each.name} {key}{where}") for each in added] + lines
    say("")
    for what, command in lines:
        say(f"{what:<18}  {typed(command)}")


def _print_plan(resolved: Resolved, json_: bool) -> int:
    from agentr_core.runs.estimate import told
    from agentr_core.runs.look_ahead import dry_run
    from agentr_core.settings.forecast import headline, plan_line

    checks, found = dry_run(resolved.config, db=resolved.db, out=resolved.out)
    if json_:
        rows = [asdict(check) for check in checks]
        print_json({"settings": resolved.config.model_dump(mode="json"), "plan": asdict(found), "checks": rows})
        return 0
    for check in checks:
        say(f"{'warning: ' if check.warning else ''}{check.what}: {check.told}")
    for line in (headline(resolved.config), plan_line(resolved.config), *told(found)):
        click.echo(line)
    return 0
