"""``agentr trajectories``: the whole attempts of a run's trees, from the first observation to an end."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import db_option, json_option
from agentr_core.cli.output import print_json
from agentr_core.cli.reading import (
    export,
    iteration_option,
    listing,
    messages_json,
    number,
    one_line,
    output_option,
    reading,
    run_argument,
)
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node, Tree
    from agentr_core.store import Store, TreeRow

    Attempt = tuple[TreeRow, Tree, Node]

tree_option = click.option("--tree", metavar="TREE", help="Only of this tree: its number, or the key of its task.")
success_option = click.option("--success/--failed", default=None, help="Only attempts that succeeded, or failed.")


@click.group(cls=ListingGroup)
def trajectories() -> None:
    """List, show and export attempts."""


@trajectories.command("list")
@run_argument
@iteration_option
@tree_option
@success_option
@click.option("-n", "--limit", type=click.IntRange(1), default=50, metavar="N", help="At most so many rows.")
@db_option
@json_option
def list_(
    reference: str, iteration: int | None, tree: str | None, success: bool | None, limit: int, db: str, json_: bool
) -> None:
    """The attempts of a run's trees, tree by tree."""
    with reading(db) as store:
        found = _attempts(store, reference, iteration, tree, success)
        rows = [(_cells(attempt), _summary(attempt)) for attempt in islice(found, limit + 1)]
    headers = ("trajectory", "task", "steps", "reward", "end", "actions")
    listing(headers, rows, json_=json_, limit=limit, empty="there are no such attempts", more="more")


@trajectories.command()
@click.argument("which", metavar="TREE:LEAF")
@db_option
@json_option
def show(which: str, db: str, json_: bool) -> None:
    """One attempt as the conversation it was: TREE:LEAF of 'agentr trajectories list'."""
    from agentr_core.cli.conversations import turns

    with reading(db) as store:
        row, tree, leaf = _find(store, which)
    if json_:
        print_json(_whole((row, tree, leaf)))
        return
    summary = _summary((row, tree, leaf))
    title = f"trajectory {which}  {row.task} · {summary['steps']} steps, reward {leaf.reward:.2f}, {summary['end']}"
    click.echo(click.style(title, bold=True))
    for line in turns(tree.messages(leaf)):
        click.echo(line)


@trajectories.command("export")
@run_argument
@iteration_option
@tree_option
@success_option
@output_option
@db_option
def export_(
    reference: str, iteration: int | None, tree: str | None, success: bool | None, output: str | None, db: str
) -> None:
    """Attempts with their conversations, one JSON object a line."""
    with reading(db) as store:
        found = _attempts(store, reference, iteration, tree, success)
        export(map(_whole, found), output, "trajectories")


def _attempts(
    store: Store, reference: str, iteration: int | None, which: str | None, success: bool | None
) -> Iterator[Attempt]:
    """The whole attempts that are asked for; trees are loaded one after the other."""
    from agentr_core.cli.trees import find_tree

    run = store.runs.find(reference)
    rows = [find_tree(store, run, which)] if which else store.trees.select(run.id, iteration=iteration)
    for row in rows:
        if not row.n_nodes:
            continue
        tree = store.trees.load(row.id)
        for leaf in tree.leaves():
            if success is None or success == (leaf.reward >= 1.0):
                yield row, tree, leaf


def _find(store: Store, which: str) -> Attempt:
    tree_text, _, leaf_text = which.partition(":")
    row = store.trees.get(number(tree_text, "tree"))
    tree = store.trees.load(row.id)
    leaf = number(leaf_text, "trajectory") if leaf_text else -1
    if not 0 < leaf < len(tree.nodes):
        raise UsageError(
            f"'{which}' is no trajectory; name one as TREE:LEAF; see: agentr trajectories list --tree {row.id}"
        )
    return row, tree, tree.nodes[leaf]


def _end(leaf: Node) -> str:
    if leaf.terminated:
        return "ended"
    return "step cap" if leaf.truncated else "horizon"


def _summary(attempt: Attempt) -> dict[str, Any]:
    row, _, leaf = attempt
    path = leaf.path()
    return {
        "trajectory": f"{row.id}:{leaf.index}",
        "tree": row.id,
        "leaf": leaf.index,
        "iteration": row.iteration,
        "task": row.task,
        "steps": len(path),
        "reward": leaf.reward,
        "end": _end(leaf),
        "actions": [node.action for node in path],
    }


def _cells(attempt: Attempt) -> tuple[Any, ...]:
    summary = _summary(attempt)
    actions = " · ".join(one_line(action or "(none)") for action in summary["actions"])
    names = ("trajectory", "task", "steps")
    return (*(summary[name] for name in names), f"{summary['reward']:.2f}", summary["end"], one_line(actions, 80))


def _whole(attempt: Attempt) -> dict[str, Any]:
    _, tree, leaf = attempt
    return {**_summary(attempt), "messages": messages_json(tree.messages(leaf))}
