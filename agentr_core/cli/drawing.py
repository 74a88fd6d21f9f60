"""A search tree in the terminal: actions and answers, visits, values, verdicts and cuts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import click

from agentr_core.interfaces.tree import Node, TreeNodes
from agentr_core.process.terminal import one_line
from agentr_core.report.folding import count_below, cut_text, step_text, subtree
from agentr_core.report.marks import Marks

if TYPE_CHECKING:
    from agentr_core.records import Label

#: Below so many columns the branches are thin and the notes short.
NARROW = 80
#: Where branches take more of a line than leaves so many columns to its text (or half of it), their beginning is cut.
_LEAST_TEXT = 24
_COLOURS: dict[Label, str] = {"good": "green", "bad": "red", "uncertain": "yellow"}


@dataclass(frozen=True, slots=True)
class View:
    """Which nodes are drawn: those visited unless ``everything``, down to ``depth``, and only ``failed`` attempts."""

    depth: int | None = None
    everything: bool = False
    failed: bool = False


@dataclass(frozen=True, slots=True)
class _Strokes:
    """What branches are drawn with: before an alternative and the last one, and below each of the two."""

    fork: str
    last: str
    down: str
    past: str


_WIDE, _THIN = _Strokes("├─ ", "└─ ", "│  ", "   "), _Strokes("├ ", "└ ", "│", " ")


@dataclass(frozen=True, slots=True)
class _Line:
    branch: str
    text: str
    node: Node | None = None


def draw(tree: TreeNodes, marks: Marks, view: View, width: int) -> Iterator[str]:
    """The lines of the drawing, ``width`` columns wide, with colours as click styles.

    ``├─`` and ``└─`` are alternatives; ``↓`` is the only step that follows, and is not indented any further. ``…``
    stands for the branches of a deep node for which there is no room.
    """
    short = width < NARROW
    lines = [_Line("● ", "", tree.root), *_below(tree.root, "", view, _THIN if short else _WIDE)]
    notes = [click.unstyle(_notes(line.node, marks, short)) for line in lines if line.node is not None]
    room = max(30, width - 2 - max(map(len, notes)))
    lines = [replace(line, branch=_end_of(line.branch, room - min(_LEAST_TEXT, room // 2))) for line in lines]
    left = min(room, max(len(line.branch) + len(line.text) for line in lines))
    for line in lines:
        if line.node is None:
            yield click.style(line.branch + line.text, dim=True)
            continue
        text = one_line(line.text, max(10, left - len(line.branch)))
        gap = " " * (left - len(line.branch) - len(text))
        yield f"{line.branch}{text}{gap}  {_notes(line.node, marks, short)}".rstrip()


def _end_of(branch: str, most: int) -> str:
    return branch if len(branch) <= most else "…" + branch[1 - most :]


def _below(node: Node, prefix: str, view: View, strokes: _Strokes) -> Iterator[_Line]:
    shown = [child for child in node.children if _is_shown(child, view)]
    hidden = 0 if view.failed else len(node.children) - len(shown)
    if shown and view.depth is not None and node.depth >= view.depth:
        yield _Line(prefix + strokes.last, f"… {count_below(node)} nodes below")
        return
    if len(shown) == 1 and not hidden:
        yield _Line(f"{prefix}↓ ", step_text(shown[0]), shown[0])
        yield from _below(shown[0], prefix, view, strokes)
        return
    for child in shown:
        last = child is shown[-1] and not hidden
        yield _Line(prefix + (strokes.last if last else strokes.fork), step_text(child), child)
        yield from _below(child, prefix + (strokes.past if last else strokes.down), view, strokes)
    if hidden:
        yield _Line(prefix + strokes.last, f"+ {hidden} never visited")


def _is_shown(node: Node, view: View) -> bool:
    if view.failed:
        return any(leaf.terminal and not leaf.children and leaf.reward < 1.0 for leaf in subtree(node))
    return view.everything or node.visits > 0


def _numbers(node: Node, short: bool) -> str:
    visits = f"N={node.visits}"
    return f"{visits:<{5 if short else 6}} Q={node.value:.2f}"


def _notes(node: Node, marks: Marks, short: bool) -> str:
    """Visits, value, the reward of a leaf, verdict and cuts."""
    notes = [click.style(_numbers(node, short), dim=None if node.visits else True)]
    if node.terminal and not node.children:
        colour = "green" if node.reward >= 1.0 else "red"
        notes.append(click.style(f"r={node.reward:.2f}", fg=colour) + (" cap" if node.truncated else ""))
    if (label := marks.verdicts.get(node.index)) is not None:
        notes.append(click.style(label, fg=_COLOURS[label]))
    if count := marks.cuts.get(node.index):
        notes.append(click.style(f"✂{count}" if short else cut_text(count), fg="magenta", bold=True))
    return (" " if short else "  ").join(notes)
