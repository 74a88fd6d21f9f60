"""``agentr revisions``: what the critics made of a run's trees; one revision as bad | cut | signal | good."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page, exports, lists, shows
from agentr_core.cli.conversations import turns
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.output import heading
from agentr_core.cli.reading import env_option, messages_json, number, of_environment, of_run, task_name
from agentr_core.errors import NothingToDo, UsageError
from agentr_core.report.revision_parts import (
    HEAD_TURNS,
    Part,
    after_the_cut,
    before_the_cut,
    facts,
    told_at_the_cut,
)
from agentr_core.turns import Message

if TYPE_CHECKING:
    from agentr_core.store import RevisionSetRow, Sample, SampleKind, Store

critic_option = click.option("--critic", metavar="NAME", help="Only of this critic.")
KINDS = ("good", "revision", "direct")
_COLOURS = {"shared": "cyan", "bad": "red", "signal": "yellow", "good": "green"}


@click.group(cls=ListingGroup)
def revisions() -> None:
    """List, show and export revision trajectories."""


@revisions.command("list")
@of_run
@critic_option
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind; good ones are left out otherwise.")
@click.option("--kept/--dropped", default=None, help="Only those that datasets take, or that were dropped.")
@env_option
@lists()
def list_(
    store: Store,
    reference: str,
    iteration: int | None,
    critic: str | None,
    kind: SampleKind | None,
    kept: bool | None,
    env: str | None,
) -> Listing:
    """The revisions of a run: where bad and good part (t), the cut (t'), rewards, and whether the splice held."""
    run = store.runs.find(reference)
    chosen = of_environment(run, env, store.trees.select(run.id))
    trees = {tree.id: task_name(run, tree.env, tree.task) for tree in chosen}
    found = [
        (row, sample, trees.get(sample.tree_id, ""))
        for row in _sets(store, reference, iteration, critic)
        for sample in store.revisions.samples(row.id, kind=kind, kept=kept)
        if sample.tree_id in trees and (kind is not None or sample.kind != "good")
    ]
    headers = ("revision", "critic", "task", "kind", "t", "t'", "bad", "good", "end", "verified", "kept")
    rows = [(_cells(row, sample, task), _json(row, sample, task)) for row, sample, task in found]
    empty = "there are no such revisions; make some with: agentr revise --run RUN --critic NAME"
    return Listing(headers, rows, empty)


@revisions.command()
@click.argument("which", metavar="[REVISION]", default="last")
@click.option("--full", is_flag=True, help="With the instructions and the first observation.")
@shows
def show(store: Store, which: str, full: bool) -> Page:
    """One revision: the shared steps, the bad ones, the cut, the signal, the good tail.

    REVISION is SET:TREE:BAD:GOOD of 'agentr revisions list', or a run (then its first one that was kept).
    """
    from agentr_core.report.marks import said_at_the_cut

    row, sample = _find(store, which)
    task = store.tasks.get(store.trees.get(sample.tree_id).task_id)
    messages = store.conversations.get(sample.conversation)
    reason = said_at_the_cut(store, row, sample)
    data = {**_json(row, sample, task.key), "reason": reason, "messages": messages_json(messages)}
    title = heading(_title(row, sample, task.key))
    goal = turns([Message("user", task.instruction)], labels={0: ("task", "")})
    head = turns(messages[:HEAD_TURNS]) if full else goal
    return Page(data, (title, *head, *_drawn(sample, messages, reason)))


@revisions.command("export")
@of_run
@critic_option
@click.option("--preferences", is_flag=True, help="Preference pairs (prompt, chosen, rejected) instead.")
@exports
def export_(store: Store, reference: str, iteration: int | None, critic: str | None, preferences: bool) -> Export:
    """All samples with their conversations, or preference pairs, one JSON object a line."""
    sets = _sets(store, reference, iteration, critic)
    if preferences:
        return Export(_preference_rows(store, sets), "preference pairs")
    return Export(_sample_rows(store, sets), "samples")


def _sample_rows(store: Store, sets: list[RevisionSetRow]) -> Iterator[dict[str, Any]]:
    for row in sets:
        for sample in store.revisions.samples(row.id):
            messages = store.conversations.get(sample.conversation)
            task = store.trees.get(sample.tree_id).task
            yield {**_json(row, sample, task), "messages": messages_json(messages)}


def _preference_rows(store: Store, sets: list[RevisionSetRow]) -> Iterator[dict[str, Any]]:
    from agentr_core.train.export import preference_row

    for row in sets:
        for pair in store.revisions.preferences(row.id):
            origin = {
                "tree": pair.tree_id,
                "node": pair.node,
                "chosen_reward": pair.chosen_reward,
                "rejected_reward": pair.rejected_reward,
            }
            found = preference_row(store.conversations.get(pair.chosen), store.conversations.get(pair.rejected), origin)
            if found is not None:
                yield found


def _sets(store: Store, reference: str, iteration: int | None, critic: str | None) -> list[RevisionSetRow]:
    run = store.runs.find(reference, having="revisions")
    return store.revisions.select(run.id, iteration=iteration, critic=critic)


def _name(row: RevisionSetRow, sample: Sample) -> str:
    bad = sample.bad_leaf if sample.bad_leaf >= 0 else "-"
    return f"{row.id}:{sample.tree_id}:{bad}:{sample.good_leaf}"


def _json(row: RevisionSetRow, sample: Sample, task: str) -> dict[str, Any]:
    values = {name: value for name, value in sample.as_dict().items() if name != "messages"}
    where = {"revision": _name(row, sample), "set": row.id, "iteration": row.iteration, "critic": row.critic}
    return {**where, "task": task, **values}


def _cells(row: RevisionSetRow, sample: Sample, task: str) -> tuple[Any, ...]:
    rewards = (sample.bad_reward, sample.good_reward, sample.reward)
    shown = (None if reward is None else f"{reward:.2f}" for reward in rewards)
    verified = None if sample.verified is None else _yes(sample.verified)
    where = (sample.kind, sample.divergence, sample.cut)
    return (_name(row, sample), row.critic, task, *where, *shown, verified, _yes(sample.kept))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _find(store: Store, which: str) -> tuple[RevisionSetRow, Sample]:
    parts = which.split(":")
    if len(parts) == 1:
        for row in _sets(store, which, None, None):
            for sample in store.revisions.samples(row.id, kept=True):
                if sample.kind != "good":
                    return row, sample
        raise NothingToDo(f"run {store.runs.find(which, 'revisions').short} has no revision that was kept")
    if len(parts) == 4:
        row = store.revisions.get(number(parts[0], "revision"))
        for sample in store.revisions.samples(row.id, tree_id=number(parts[1], "revision")):
            if _name(row, sample) == which:
                return row, sample
    raise UsageError(f"there is no revision '{which}'; name one as SET:TREE:BAD:GOOD; see: agentr revisions list")


def _title(row: RevisionSetRow, sample: Sample, task: str) -> str:
    return f"{sample.kind} {_name(row, sample)}  {' · '.join([task, *facts(sample, row.critic)])}"


def _drawn(sample: Sample, messages: tuple[Message, ...], reason: str) -> Iterator[str]:
    """The steps, each under the part it belongs to: shared | bad | the cut | signal | good."""
    yield from _parts(before_the_cut(sample, messages))
    if sample.kind != "good":
        yield click.style(f"✂ {told_at_the_cut(sample, reason)}", fg="magenta", bold=True)
    yield from _parts(after_the_cut(sample, messages))


def _parts(parts: list[Part]) -> Iterator[str]:
    """Each part's word at its agent turns, an arrow at the answers."""
    for part in parts:
        colour = _COLOURS[part.name]
        labels = {at: ("→", colour) if at % 2 else (part.name, colour) for at in range(len(part.turns))}
        yield from turns(part.turns, labels=labels)
