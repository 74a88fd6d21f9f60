"""``agentr play``: a person plays, watches a model play, and keeps what is worth learning from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.options import resolve_settings, stage_options
from agentr_core.cli.output import say

if TYPE_CHECKING:
    from agentr_core.runs.by_hand import Table
    from agentr_core.settings.layers import Resolved
    from agentr_core.settings.run_config import RunConfig


@click.command()
@stage_options("play")
@click.option("--task", metavar="KEY", help="The task to begin with [the first of the split].")
@click.option(
    "--run",
    "reference",
    metavar="NAME",
    help="The run to keep demonstrations with, or the name of a new one [played-ENV].",
)
@click.pass_context
def play(ctx: click.Context, /, task: str | None, reference: str | None, **_: Any) -> int:
    """Play an episode, or watch a model play, and keep it to train on.

    \b
    agentr play --env textcraft                            you play
    agentr play --env textcraft --model PATH_OR_ID         Enter: the model plays its next turn; type one to take over
    agentr train --run played-textcraft --model MODEL      train on what you kept

    Lines are actions, or commands that begin with a colon (:help lists them: proposals with their log-probabilities,
    legal actions, undo, keep). What a model plays alone is to the letter what 'agentr eval' stores. Lines may come
    from a pipe as well; there the first that fails ends it.
    """
    from agentr_core.cli.play_lines import Lines
    from agentr_core.cli.playing import Playing

    resolved = resolve_settings(ctx, require=False)
    with asyncio.Runner() as runner, _table(resolved, runner) as table:
        first = table.task(task, resolved.config.search_of(table.world.name).split)

        def keep(everyone: bool) -> None:
            _keep(table, runner, resolved, reference or f"played-{table.world.name}", everyone=everyone)

        return Playing(table, runner, Lines(), keep).play(first)


@contextmanager
def _table(resolved: Resolved, runner: asyncio.Runner) -> Iterator[Table]:
    """The table, in the loop of ``runner``; without a policy where none was asked for."""
    from agentr_core.registry.lookup import registry
    from agentr_core.runs.by_hand import at_table

    plugins, config = registry(), resolved.config
    with_policy = any(_asked_for(resolved.sources.get(key, "")) for key in ("policy", "policy.model"))
    for kind, name in [("env", chosen.name) for chosen in config.env] + [("policy", config.policy.name)] * with_policy:
        plugins.require(kind, name)  # type: ignore[arg-type]
    opened = at_table(config, plugins, with_policy=with_policy)
    table = runner.run(opened.__aenter__())
    try:
        yield table
    finally:
        runner.run(opened.__aexit__(None, None, None))


def _asked_for(source: str) -> bool:
    return bool(source) and not source.startswith(("preset", "default"))


def _keep(table: Table, runner: asyncio.Runner, resolved: Resolved, run: str, *, everyone: bool) -> None:
    """Check that the episode plays again, keep it, and say what to type next."""
    from agentr_core.cli.calling import typed
    from agentr_core.runs.kept import demonstration, keep, trained_turns
    from agentr_core.train.demonstrations import OUTCOMES

    config, episode = resolved.config, table.episode
    trained = trained_turns(episode, everyone=everyone, refused=config.revise.train_refused)
    example, replayed = runner.run(demonstration(table.world, episode, trained))
    _warn(table, config)
    kept = keep(example, _to_train_with(config), db=resolved.db, run=run)
    name = kept.run.name or kept.run.short
    if kept.was_there:
        say(f"dataset {kept.dataset.id} of run {name} has this conversation already")
        return
    why = f" ({replayed.why})" if replayed.why else ""
    count = kept.dataset.n_examples
    say(f"{sum(trained)} of {len(trained)} turns are trained; {OUTCOMES[replayed.outcome]}{why}")
    say(f"kept: dataset {kept.dataset.id} of run {name}, {count} conversation{'s' if count > 1 else ''}")
    where = "" if resolved.db == "agentr.db" else f" --db {resolved.db}"
    say(f"train on them: {typed(f'agentr train --run {name} --model MODEL{where}')}")


def _warn(table: Table, config: RunConfig) -> None:
    """What should be known of a demonstration before a model learns from it."""
    episode, name = table.episode, table.world.name
    if episode.task.split == config.evaluate_of(name).split:
        say(f"warning: {episode.task.key} is of the split '{episode.task.split}', which models are measured on")
    if episode.steps and episode.steps[-1].reward < 1:
        say(f"warning: it is trained as a good example, and its reward is {episode.steps[-1].reward:g} so far")


def _to_train_with(config: RunConfig) -> RunConfig:
    """The configuration that ``agentr train --run`` begins with: a policy that has no model to train gives way."""
    from agentr_core.settings.layer import flag_layer
    from agentr_core.settings.layers import resolve

    if "model" in config.policy.options:
        return config
    usual = resolve([flag_layer({"env": ("--env", config.env[0].name)})], require=False).config
    return config.model_copy(update={"policy": usual.policy})
