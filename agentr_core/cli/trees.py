"""``agentr trees``: list, draw and export search trees."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from agentr_core.cli.answers import Export, Listing, Page, exports, lists, shows
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.output import heading
from agentr_core.cli.reading import messages_json, of_run, one_line, run_argument, screen_width, task_name
from agentr_core.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Node, Tree
    from agentr_core.report.marks import Marks
    from agentr_core.store import RevisionSetRow, RunRow, Store, TreeRow, WorkStatus

status_option = click.option(
    "--status", type=click.Choice(["todo", "running", "done", "failed"]), help="Only trees in this state."
)


@click.group(cls=ListingGroup)
def trees() -> None:
    """List, draw and export search trees."""


@trees.command("list")
@of_run
@status_option
@lists()
def list_(store: Store, reference: str, iteration: int | None, status: WorkStatus | None) -> Listing:
    """The trees of a run, in the order they were planned."""
    run = store.runs.find(reference, having="trees")
    found = store.trees.select(run.id, iteration=iteration, status=status)
    headers = ("tree", "iteration", "task", "status", "simulations", "nodes", "best", "seconds", "error")
    rows = [(_cells(run, row), row.as_dict()) for row in found]
    note = "seconds: from a tree's start to its end, while others grew; best: the highest reward of an attempt"
    return Listing(headers, rows, empty=f"run {run.short} has no such trees", note=note)


def _cells(run: RunRow, row: TreeRow) -> tuple[Any, ...]:
    seconds = None if row.elapsed_seconds is None else f"{row.elapsed_seconds:.1f}"
    best = None if row.best_reward is None else f"{row.best_reward:.2f}"
    task = task_name(run, row.env, row.task)
    return (row.id, row.iteration, task, row.status, row.simulations, row.n_nodes, best, seconds, row.error or "")


@trees.command()
@run_argument
@click.argument("which", metavar="[TREE]", required=False)
@click.option("--critic", metavar="NAME", help="Whose verdicts and cuts to show; the newest ones otherwise.")
@click.option("--failed", is_flag=True, help="Only attempts that failed; without TREE, a tree that has some.")
@click.option("--depth", type=click.IntRange(0), metavar="N", help="Down to this depth.")
@click.option("--all", "everything", is_flag=True, help="Also nodes that were never visited.")
@shows
def show(
    store: Store,
    reference: str,
    which: str | None,
    critic: str | None,
    failed: bool,
    depth: int | None,
    everything: bool,
) -> Page:
    """Draw a tree: actions and answers, visits N, values Q, rewards r, verdicts and cuts.

    TREE is a number of 'agentr trees list' or the key of a task.
    """
    from agentr_core.cli.drawing import View, draw
    from agentr_core.report.marks import marks_of

    run = store.runs.find(reference, having="trees")
    row = find_tree(store, run, which) if which else _interesting(store, run, critic, failed)
    tree = store.trees.load(row.id)
    revision_set = _newest_set(store, run, row.iteration, critic)
    marks = marks_of(store, tree, row.id, revision_set)
    nodes = [_marked(node, marks) for node in tree.nodes]
    data = {**row.as_dict(), "critic": revision_set and revision_set.critic, "nodes": nodes}
    width = screen_width()
    title, size = headline(row, tree)
    drawn = draw(tree, marks, View(depth, everything, failed), width)
    return Page(data, chain([heading(one_line(title, width)), size], drawn), _legend(revision_set))


_LEGEND = """\
N visits · Q mean value · r reward at an end · ×2 equal samples · cap: step limit
↓ the only step that follows · ✂ revisions keep what is above and go on otherwise"""


def _legend(revision_set: RevisionSetRow | None) -> str:
    if revision_set is None:
        return _LEGEND
    return f"{_LEGEND}\nverdicts and cuts of the critic '{revision_set.critic}', revision set {revision_set.id}"


def _marked(node: Node, marks: Marks) -> dict[str, Any]:
    return {**node_json(node), "verdict": marks.verdicts.get(node.index), "cuts": marks.cuts.get(node.index, 0)}


@trees.command("export")
@of_run
@click.option("--tokens", is_flag=True, help="With token ids and log-probabilities.")
@exports
def export_(store: Store, reference: str, iteration: int | None, tokens: bool) -> Export:
    """Trees with all their nodes, one JSON object a line."""
    run = store.runs.find(reference, having="trees")
    rows = [row for row in store.trees.select(run.id, iteration=iteration) if row.n_nodes]
    return Export((_whole(store, row, tokens) for row in rows), "trees")


def _whole(store: Store, row: TreeRow, tokens: bool) -> dict[str, Any]:
    tree = store.trees.load(row.id)
    nodes = [node_json(node, tokens=tokens) for node in tree.nodes]
    return {**row.as_dict(), "head": messages_json(tree.head), "nodes": nodes}


def find_tree(store: Store, run: RunRow, which: str) -> TreeRow:
    """The tree of a run with this number or task key; of several with one task, the newest."""
    found = store.trees.select(run.id)
    matches = [row for row in found if which in (str(row.id), row.task)]
    if not matches:
        raise UsageError(f"run {run.short} has no tree '{which}'; list them with: agentr trees list {run.short}")
    return matches[-1]


def headline(row: TreeRow, tree: Tree) -> tuple[str, str]:
    """What a tree is of, and its size."""
    goal = tree.task.instruction.strip().splitlines()[-1] if tree.task.instruction.strip() else ""
    state = "" if row.status == "done" else f" · {row.status}"
    counts = f"{tree.simulations} simulations, {len(tree.nodes)} nodes, {len(tree.leaves())} attempts"
    title = f"tree {row.id}  {' · '.join(part for part in (row.task, goal) if part)}"
    return title, f"{counts}, best {tree.best_reward:.1f}{state}"


def _newest_set(store: Store, run: RunRow, iteration: int, critic: str | None) -> RevisionSetRow | None:
    sets = store.revisions.select(run.id, iteration=iteration, critic=critic)
    if critic is not None and not sets:
        known = sorted({row.critic for row in store.revisions.select(run.id)})
        raise UsageError(
            f"the critic '{critic}' has not revised iteration {iteration} of run {run.short}; "
            f"there are: {', '.join(known) or 'none'}"
        )
    return sets[-1] if sets else None


def _interesting(store: Store, run: RunRow, critic: str | None, failed: bool) -> TreeRow:
    """The first tree with a revision; else the first one (that has a failed attempt, where asked)."""
    rows = [row for row in store.trees.select(run.id) if row.n_nodes]
    for iteration in sorted({row.iteration for row in rows}):
        revision_set = _newest_set(store, run, iteration, critic)
        if revision_set is None:
            continue
        spliced = {sample.tree_id for sample in store.revisions.samples(revision_set.id) if sample.kind != "good"}
        for row in rows:
            if row.id in spliced:
                return row
    for row in rows:
        if not failed or any(leaf.reward < 1.0 for leaf in store.trees.load(row.id).leaves()):
            return row
    raise NothingToDo(f"run {run.short} has no tree {'with a failed attempt' if failed else 'yet'}")


def node_json(node: Node, *, tokens: bool = False) -> dict[str, Any]:
    """A node as JSON."""
    values: dict[str, Any] = {
        "node": node.index,
        "parent": None if node.parent is None else node.parent.index,
        "depth": node.depth,
        **{name: getattr(node, name) for name in _PLAIN},
        "value": node.value,
    }
    if tokens and node.completion is not None:
        values |= {"token_ids": node.completion.token_ids, "logprobs": node.completion.logprobs}
    return values


_PLAIN = (
    "response", "action", "observation", "reward", "score", "terminated", "truncated", "invalid", "terminal",
    "exhausted", "expanded", "copies", "visits", "state_key", "info",
)  # fmt: skip


def leaves(store: Store, rows: list[TreeRow]) -> Iterator[tuple[TreeRow, Tree, Node]]:
    """The ends of all whole attempts of some trees."""
    for row in rows:
        tree = store.trees.load(row.id)
        for leaf in tree.leaves():
            yield row, tree, leaf
