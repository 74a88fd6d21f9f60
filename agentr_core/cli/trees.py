"""``agentr trees``: list, draw and export search trees."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from agentr_core.cli.answers import Export, Listing, Page, lists, with_store
from agentr_core.cli.groups import ListingGroup
from agentr_core.cli.options import json_option
from agentr_core.cli.output import heading, say
from agentr_core.cli.reading import (
    by_ending,
    env_option,
    messages_json,
    named_task,
    of_environment,
    of_run,
    one_line,
    output_option,
    run_argument,
    screen_width,
    task_name,
)
from agentr_core.errors import NothingToDo, UsageError

if TYPE_CHECKING:
    from agentr_core.cli.drawing import View
    from agentr_core.interfaces.tree import Node, TreeNodes
    from agentr_core.report.marks import Marks
    from agentr_core.store import RevisionSetRow, RunRow, Store, TreeRow, WorkStatus

status_option = click.option(
    "--status", type=click.Choice(["todo", "running", "done", "failed"]), help="Only trees in this state."
)

TreeFormat = Literal["json", "dot", "html"]
#: What the end of a file's name asks for.
_ENDINGS: dict[str, TreeFormat] = {
    ".jsonl": "json", ".json": "json", ".dot": "dot", ".gv": "dot", ".html": "html", ".htm": "html",
}  # fmt: skip


@click.group(cls=ListingGroup)
def trees() -> None:
    """List, draw and export search trees."""


@trees.command("list")
@of_run
@status_option
@env_option
@lists()
def list_(store: Store, reference: str, iteration: int | None, status: WorkStatus | None, env: str | None) -> Listing:
    """The trees of a run, in the order they were planned."""
    run = store.runs.find(reference, having="trees")
    found = of_environment(run, env, store.trees.select(run.id, iteration=iteration, status=status))
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
@click.option("--watch", "watched", is_flag=True, help="Draw anew as the tree grows; without TREE, those of the run.")
@with_store
@json_option
def show(
    store: Store,
    reference: str,
    which: str | None,
    critic: str | None,
    failed: bool,
    depth: int | None,
    everything: bool,
    watched: bool,
    json_: bool,
) -> None:
    """Draw a tree: actions and answers, visits N, values Q, rewards r, verdicts and cuts.

    TREE is a number of 'agentr trees list' or the key of a task. With --watch, until the tree (without TREE, the run)
    is done, or Ctrl-C.
    """
    from agentr_core.cli.drawing import View

    view = View(depth, everything, failed)
    if not watched:
        run = store.runs.find(reference, having="trees")
        row = find_tree(store, run, which) if which else _interesting(store, run, critic, failed)
        _drawing(store, run, row, critic, view).print(json_=json_)
    elif json_:
        raise UsageError("--watch and --json: choose one")
    else:
        _watch(store, store.runs.find(reference), which, critic, view)


def _drawing(store: Store, run: RunRow, row: TreeRow, critic: str | None, view: View) -> Page:
    """A tree as it is in the store now."""
    from agentr_core.cli.drawing import draw
    from agentr_core.report.marks import marks_of

    tree = store.trees.nodes(row.id)
    revision_set = _newest_set(store, run, row.iteration, critic)
    marks = marks_of(store, tree, row.id, revision_set)
    nodes = [_marked(node, marks) for node in tree.nodes]
    data = {**row.as_dict(), "critic": revision_set and revision_set.critic, "nodes": nodes}
    width = screen_width()
    title, size = _headline(store, row, tree)
    drawn = draw(tree, marks, view, width)
    return Page(data, chain([heading(one_line(title, width)), size], drawn), _legend(revision_set))


def _watch(store: Store, run: RunRow, which: str | None, critic: str | None, view: View) -> None:
    """Follow one tree until it is done; without ``which``, those that grow until the run is done."""
    from agentr_core.cli.watching import watch

    def draw() -> list[str]:
        with store.connection.snapshot():
            row = find_tree(store, run, which) if which else _growing(store, run)
            if row is None or not row.n_nodes:
                return [f"run {run.short} has not begun {'this tree' if row else 'a tree'} yet"]
            return [*_drawing(store, run, row, critic, view).lines]

    def going() -> bool:
        if which and find_tree(store, run, which).status in ("done", "failed"):
            return False
        return store.runs.state(store.runs.get(run.id)) == "running"

    watch(store, draw, going)
    say(f"run {run.short} is {store.runs.state(store.runs.get(run.id))}")


def _growing(store: Store, run: RunRow) -> TreeRow | None:
    """The first tree that grows at the moment, else the last one that has grown."""
    rows = [row for row in store.trees.select(run.id) if row.n_nodes]
    return next((row for row in rows if row.status == "running"), rows[-1] if rows else None)


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
@click.option("--tree", metavar="TREE", help="Only this tree: its number, or the key of its task.")
@click.option("--tokens", is_flag=True, help="With token ids and log-probabilities (json).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "dot", "html"]),
    help="json: an object a line; dot: a graph for Graphviz each; html: a page of trees to unfold. Without it: what "
    "FILE ends in, else json.",
)
@output_option
@with_store
def export_(
    store: Store,
    reference: str,
    iteration: int | None,
    tree: str | None,
    tokens: bool,
    form: TreeFormat | None,
    output: str | None,
) -> None:
    """Trees with all their nodes: as JSON, as graphs, or as a page."""
    form = form or by_ending(output, _ENDINGS, "Graphviz makes pictures of --format dot") or "json"
    if tokens and form != "json":
        raise UsageError(f"--tokens and --format {form}: only json has tokens")
    run = store.runs.find(reference, having="trees")
    rows = [find_tree(store, run, tree)] if tree else store.trees.select(run.id, iteration=iteration)
    rows = [row for row in rows if row.n_nodes]
    if form == "json":
        Export((_whole(store, row, tokens) for row in rows), "trees").write(output)
        return
    if not rows:
        raise NothingToDo("there are no trees to export")
    _write_text(_page(store, run, rows) if form == "html" else _graphs(store, run, rows), output)
    say(("1 tree" if len(rows) == 1 else f"{len(rows):,} trees") + (f" written to {output}" if output else ""))


def _page(store: Store, run: RunRow, rows: list[TreeRow]) -> Iterator[str]:
    from agentr_core.report.report import trees_page

    yield trees_page(store, run, rows)


def _graphs(store: Store, run: RunRow, rows: list[TreeRow]) -> Iterator[str]:
    from agentr_core.report.marks import marks_of
    from agentr_core.report.tree_graph import tree_dot

    for row in rows:
        tree = store.trees.load(row.id)
        marks = marks_of(store, tree, row.id, _newest_set(store, run, row.iteration, None))
        for line in tree_dot(tree, f"tree {row.id} {row.task}", marks):
            yield f"{line}\n"


def _write_text(parts: Iterable[str], output: str | None) -> None:
    """Write to the file ``output``, whole or not at all; else to stdout."""
    if output is None:
        for part in parts:
            click.echo(part, nl=False)
        return
    from agentr_core.train.export import write_text

    write_text(parts, Path(output))


def _whole(store: Store, row: TreeRow, tokens: bool) -> dict[str, Any]:
    tree = store.trees.load(row.id)
    nodes = [node_json(node, tokens=tokens) for node in tree.nodes]
    return {**row.as_dict(), "head": messages_json(tree.head), "nodes": nodes}


def find_tree(store: Store, run: RunRow, which: str) -> TreeRow:
    """The tree of a run with this number or task; of several with one task, the newest."""
    found = store.trees.select(run.id)
    matches = [row for row in found if which == str(row.id)] or named_task(found, which)
    if not matches:
        raise UsageError(f"run {run.short} has no tree '{which}'; list them with: agentr trees list {run.short}")
    return matches[-1]


def _headline(store: Store, row: TreeRow, tree: TreeNodes) -> tuple[str, str]:
    """What a tree is of, and its size."""
    goal = store.tasks.get(row.task_id).instruction.strip().rpartition("\n")[2]
    state = "" if row.status == "done" else f" · {row.status}"
    counts = f"{tree.simulations} simulations, {len(tree.nodes)} nodes, {len(tree.leaves())} attempts"
    title = f"tree {row.id}  {' · '.join(part for part in (row.task, goal) if part)}"
    return title, f"{counts}, best {tree.best_reward:.1f}{state}"


def _newest_set(store: Store, run: RunRow, iteration: int, critic: str | None) -> RevisionSetRow | None:
    found = store.revisions.newest(run.id, iteration=iteration, critic=critic)
    if critic is not None and found is None:
        known = sorted({row.critic for row in store.revisions.select(run.id)})
        raise UsageError(
            f"the critic '{critic}' has not revised iteration {iteration} of run {run.short}; "
            f"there are: {', '.join(known) or 'none'}"
        )
    return found


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
        if not failed or any(leaf.reward < 1.0 for leaf in store.trees.nodes(row.id).leaves()):
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
