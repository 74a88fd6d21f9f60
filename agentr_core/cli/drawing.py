"""A search tree in the terminal: actions and answers, visits, values, verdicts and cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.process.terminal import one_line
from agentr_core.records import Label
from agentr_core.report.folding import count_below, cut_text, step_text, subtree
from agentr_core.report.marks import Marks

_COLOURS: dict[Label, str] = {"good": "green", "bad": "red", "uncertain": "yellow"}


@dataclass(frozen=True, slots=True)
class View:
    """Which nodes are drawn: those visited unless ``everything``, down to ``depth``, and only ``failed`` attempts."""

    depth: int | None = None
    everything: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    branch: str
    text: str
    node: Node | None = None


def draw(tree: Tree, marks: Marks, view: View, width: int) -> Iterator[str]:
    """The lines of the drawing, ``width`` columns wide, with colours as click styles.

    ``├─`` and ``└─`` are alternatives; ``↓`` is the only step that follows, and is not indented any further.
    """
    lines = [_Line("● ", "", tree.root), *_below(tree.root, "", view)]
    notes = {id(line): _plain_notes(line.node, marks) for line in lines if line.node is not None}
    room = max(30, width - 2 - max((len(note) for note in notes.values()), default=0))
    left = min(room, max(len(line.branch) + len(line.text) for line in lines))
    for line in lines:
        if line.node is None:
            yield click.style(line.branch + line.text, dim=True)
            continue
        text = one_line(line.text, max(10, left - len(line.branch)))
        gap = " " * (left - len(line.branch) - len(text))
        yield f"{line.branch}{text}{gap}  {_notes(line.node, marks)}".rstrip()


def _below(node: Node, prefix: str, view: View) -> Iterator[_Line]:
    shown = [child for child in node.children if _is_shown(child, view)]
    hidden = 0 if view.failed else len(node.children) - len(shown)
    if shown and view.depth is not None and node.depth >= view.depth:
        yield _Line(f"{prefix}└─ ", f"… {count_below(node)} nodes below")
        return
    if len(shown) == 1 and not hidden:
        yield _Line(f"{prefix}↓ ", step_text(shown[0]), shown[0])
        yield from _below(shown[0], prefix, view)
        return
    for child in shown:
        last = child is shown[-1] and not hidden
        yield _Line(prefix + ("└─ " if last else "├─ "), step_text(child), child)
        yield from _below(child, prefix + ("   " if last else "│  "), view)
    if hidden:
        yield _Line(f"{prefix}└─ ", f"+ {hidden} never visited")


def _is_shown(node: Node, view: View) -> bool:
    if view.failed:
        return any(leaf.terminal and not leaf.children and leaf.reward < 1.0 for leaf in subtree(node))
    return view.everything or node.visits > 0


def _numbers(node: Node) -> str:
    return f"N={node.visits:<4} Q={node.value:.2f}"


def _plain_notes(node: Node, marks: Marks) -> str:
    return click.unstyle(_notes(node, marks))


def _notes(node: Node, marks: Marks) -> str:
    """Visits, value, the reward of a leaf, verdict and cuts."""
    notes = [click.style(_numbers(node), dim=None if node.visits else True)]
    if node.terminal and not node.children:
        colour = "green" if node.reward >= 1.0 else "red"
        notes.append(click.style(f"r={node.reward:.2f}", fg=colour) + (" cap" if node.truncated else ""))
    if (label := marks.verdicts.get(node.index)) is not None:
        notes.append(click.style(label, fg=_COLOURS[label]))
    if count := marks.cuts.get(node.index):
        notes.append(click.style(cut_text(count), fg="magenta", bold=True))
    return "  ".join(notes)
