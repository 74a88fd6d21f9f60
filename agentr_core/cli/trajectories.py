"""``agentr trajectories``: the whole attempts of a run's trees, from the first observation to an end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page, exports, lists, shows
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.output import heading
from agentr_core.cli.reading import env_option, messages_json, number, of_environment, of_run, one_line, task_name
from agentr_core.errors import UsageError

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node, Tree
    from agentr_core.store import RunRow, Store, TreeRow

    Attempt = tuple[TreeRow, Tree, Node]

tree_option = click.option("--tree", metavar="TREE", help="Only of this tree: its number, or the key of its task.")
success_option = click.option("--success/--failed", default=None, help="Only attempts that succeeded, or failed.")


@click.group(cls=ListingGroup)
def trajectories() -> None:
    """List, show and export attempts."""


@trajectories.command("list")
@of_run
@tree_option
@success_option
@env_option
@lists(most=50)
def list_(
    store: Store, reference: str, iteration: int | None, tree: str | None, success: bool | None, env: str | None
) -> Listing:
    """The attempts of a run's trees, tree by tree."""
    run, found = store.runs.find(reference), _attempts(store, reference, iteration, tree, success, env)
    rows = ((_cells(run, attempt), _summary(attempt)) for attempt in found)
    headers = ("trajectory", "task", "steps", "reward", "end", "actions")
    return Listing(headers, rows, empty="there are no such attempts")


@trajectories.command()
@click.argument("which", metavar="TREE:LEAF")
@shows
def show(store: Store, which: str) -> Page:
    """One attempt as the conversation it was: TREE:LEAF of 'agentr trajectories list'."""
    from agentr_core.cli.conversations import turns

    row, tree, leaf = _find(store, which)
    whole = _whole((row, tree, leaf))
    title = f"trajectory {which}  {row.task} · {whole['steps']} steps, reward {leaf.reward:.2f}, {whole['end']}"
    return Page(whole, (heading(title), *turns(tree.messages(leaf))))


@trajectories.command("export")
@of_run
@tree_option
@success_option
@env_option
@exports
def export_(
    store: Store, reference: str, iteration: int | None, tree: str | None, success: bool | None, env: str | None
) -> Export:
    """Attempts with their conversations, one JSON object a line."""
    found = _attempts(store, reference, iteration, tree, success, env)
    return Export(map(_whole, found), "trajectories")


def _attempts(
    store: Store, reference: str, iteration: int | None, which: str | None, success: bool | None, env: str | None
) -> Iterator[Attempt]:
    """The whole attempts that are asked for; trees are loaded one after the other."""
    from agentr_core.cli.trees import find_tree

    run = store.runs.find(reference, having="trees")
    rows = [find_tree(store, run, which)] if which else store.trees.select(run.id, iteration=iteration)
    for row in of_environment(run, env, rows):
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
    if not leaf.terminal:
        return "not an end" if leaf.children else "left there"
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
        "env": row.env,
        "task": row.task,
        "steps": len(path),
        "reward": leaf.reward,
        "end": _end(leaf),
        "actions": [node.action for node in path],
    }


def _cells(run: RunRow, attempt: Attempt) -> tuple[Any, ...]:
    summary = {**_summary(attempt), "task": task_name(run, attempt[0].env, attempt[0].task)}
    actions = " · ".join(one_line(action or "(none)") for action in summary["actions"])
    names = ("trajectory", "task", "steps")
    return (*(summary[name] for name in names), f"{summary['reward']:.2f}", summary["end"], one_line(actions, 80))


def _whole(attempt: Attempt) -> dict[str, Any]:
    _, tree, leaf = attempt
    return {**_summary(attempt), "messages": messages_json(tree.messages(leaf))}
