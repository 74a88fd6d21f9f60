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
    from agentr_core.store.tree_views import Attempt

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
    run = store.runs.find(reference, having="trees")
    found = (
        (row, attempt)
        for row in _trees(store, run, iteration, tree, env)
        for attempt in store.tree_views.attempts(row.id)
        if success is None or success == (attempt.reward >= 1.0)
    )
    rows = ((_cells(run, row, attempt), _summary(row, attempt)) for row, attempt in found)
    headers = ("trajectory", "task", "steps", "reward", "end", "actions")
    return Listing(headers, rows, empty="there are no such attempts")


@trajectories.command()
@click.argument("which", metavar="TREE:LEAF")
@shows
def show(store: Store, which: str) -> Page:
    """One attempt as the conversation it was: TREE:LEAF of 'agentr trajectories list'."""
    from agentr_core.cli.conversations import turns

    row, tree, leaf = _find(store, which)
    whole = _whole(row, tree, leaf)
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
    run = store.runs.find(reference, having="trees")
    found = _leaves(store, _trees(store, run, iteration, tree, env))
    wanted = (each for each in found if success is None or success == (each[2].reward >= 1.0))
    return Export((_whole(*each) for each in wanted), "trajectories")


def _trees(store: Store, run: RunRow, iteration: int | None, which: str | None, env: str | None) -> list[TreeRow]:
    """The trees that are asked for and have begun."""
    from agentr_core.cli.trees import find_tree

    rows = [find_tree(store, run, which)] if which else store.trees.select(run.id, iteration=iteration)
    return [row for row in of_environment(run, env, rows) if row.n_nodes]


def _leaves(store: Store, rows: list[TreeRow]) -> Iterator[tuple[TreeRow, Tree, Node]]:
    """The ends of all whole attempts of some trees, which are loaded one after the other."""
    for row in rows:
        tree = store.trees.load(row.id)
        for leaf in tree.leaves():
            yield row, tree, leaf


def _find(store: Store, which: str) -> tuple[TreeRow, Tree, Node]:
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
    return _ended(terminated=leaf.terminated, truncated=leaf.truncated)


def _ended(*, terminated: bool, truncated: bool) -> str:
    if terminated:
        return "ended"
    return "step cap" if truncated else "horizon"


def _summary(row: TreeRow, attempt: Attempt) -> dict[str, Any]:
    end = _ended(terminated=attempt.flags["terminated"], truncated=attempt.flags["truncated"])
    return _known(row, attempt.leaf, attempt.reward, end, list(attempt.actions))


def _known(row: TreeRow, leaf: int, reward: float, end: str, actions: list[str | None]) -> dict[str, Any]:
    return {
        "trajectory": f"{row.id}:{leaf}",
        "tree": row.id,
        "leaf": leaf,
        "iteration": row.iteration,
        "env": row.env,
        "task": row.task,
        "steps": len(actions),
        "reward": reward,
        "end": end,
        "actions": actions,
    }


def _cells(run: RunRow, row: TreeRow, attempt: Attempt) -> tuple[Any, ...]:
    summary = {**_summary(row, attempt), "task": task_name(run, row.env, row.task)}
    actions = " · ".join(one_line(action or "(none)") for action in attempt.actions)
    names = ("trajectory", "task", "steps")
    return (*(summary[name] for name in names), f"{attempt.reward:.2f}", summary["end"], one_line(actions, 80))


def _whole(row: TreeRow, tree: Tree, leaf: Node) -> dict[str, Any]:
    known = _known(row, leaf.index, leaf.reward, _end(leaf), [node.action for node in leaf.path()])
    return {**known, "messages": messages_json(tree.messages(leaf))}
