"""A search tree as a graph for Graphviz: ``dot -Tsvg``."""

from __future__ import annotations

from collections.abc import Iterator

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.report.escaping import dot
from agentr_core.report.folding import cut_text, is_played, unplayed
from agentr_core.report.marks import Marks

_COLOURS = {"good": "#1b7837", "bad": "#b2182b", "uncertain": "#b8860b"}


def tree_dot(tree: Tree, name: str, marks: Marks) -> Iterator[str]:
    """The lines of a graph: nodes that were played, the others as a count; an edge is as wide as it was visited."""
    yield f"digraph {dot(name)} {{"
    yield "  rankdir=LR;"
    yield '  node [shape=box, style=rounded, fontname="sans-serif", fontsize=10];'
    for node in tree.nodes:
        if node.parent is None or is_played(node):
            yield f"  n{node.index} [{_look(node, marks)}];"
        if node.parent is not None and is_played(node):
            yield f"  n{node.parent.index} -> n{node.index} [penwidth={1 + min(node.visits, 64) ** 0.5:.1f}];"
        if left := len(unplayed(node)):
            yield f'  u{node.index} [label="+{left} not played", shape=plaintext];'
            yield f"  n{node.index} -> u{node.index} [style=dashed];"
    yield "}"


def _look(node: Node, marks: Marks) -> str:
    """Label and colours of a node: the action, visits and value, how it ended, verdict and cuts."""
    action = node.action if node.action is not None else f"(no action) {node.response}"
    notes = [f"N={node.visits} Q={node.value:.2f}"]
    ended = node.terminal and not node.children
    notes += [f"r={node.reward:.2f}"] if ended else []
    label = marks.verdicts.get(node.index)
    notes += [label] if label else []
    notes += [cut_text(count)] if (count := marks.cuts.get(node.index)) else []
    first = dot(action if node.parent is not None else "start").removesuffix('"')
    parts = [f'label={first}\\n{" · ".join(notes)}"']
    if ended:
        parts.append(f'fillcolor="{"#d9f0d3" if node.reward >= 1.0 else "#fddbc7"}", style="rounded,filled"')
    return ", ".join([*parts, *([f'color="{_COLOURS[label]}"'] if label else [])])
