"""A tree as steps that follow each other and branches that part, with what is worth seeing unfolded. Pure.

A step without an alternative is not a branch of its own, so that an attempt of twenty steps is as deep as it has
choices. Unfolded are the ways to the best attempt, to the best of those that failed, and to every cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.process.terminal import one_line


@dataclass(slots=True)
class Branch:
    """``steps`` that follow each other, and the ``branches`` that part after the last one.

    Alternatives that were sampled and never visited are no branches (:func:`unplayed`). ``open``: something below the
    first step is worth seeing. ``below``: how many nodes are.
    """

    steps: list[Node]
    branches: list[Branch] = field(default_factory=list)
    open: bool = False
    below: int = 0


def fold(tree: Tree, cuts: Iterable[int] = ()) -> Branch:
    """The tree from its root on; ``cuts`` are numbers of nodes after which revisions cut."""
    return _branch(tree.root, worth_seeing(tree, cuts))


def worth_seeing(tree: Tree, cuts: Iterable[int] = ()) -> set[int]:
    """The numbers of the nodes on the ways to the best attempt, the best one that failed, and every cut."""
    ends = [best(tree.leaves()), best([leaf for leaf in tree.leaves() if leaf.reward < 1.0])]
    ends += [tree.nodes[cut] for cut in cuts]
    return {node.index for end in ends if end is not None for node in end.ancestors()}


def best(leaves: Iterable[Node]) -> Node | None:
    """The leaf of the highest reward; of several the shortest, then the first."""
    return min(leaves, key=lambda leaf: (-leaf.reward, leaf.depth, leaf.index), default=None)


def _branch(node: Node, wanted: set[int]) -> Branch:
    branch = Branch([node], open=any(child.index in wanted for child in node.children), below=count_below(node))
    played = [child for child in node.children if is_played(child)]
    while len(played) == 1:
        branch.steps += played
        played = [child for child in played[0].children if is_played(child)]
    branch.branches = [_branch(child, wanted) for child in played]
    return branch


def is_played(node: Node) -> bool:
    """False for an alternative that was sampled and that no simulation went through."""
    return node.visits > 0 or bool(node.children)


def unplayed(node: Node) -> list[Node]:
    """The alternatives after a node that no simulation went through."""
    return [child for child in node.children if not is_played(child)]


def subtree(node: Node) -> Iterator[Node]:
    """The node and all below it."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children


def count_below(node: Node) -> int:
    """How many nodes are below this one."""
    return sum(1 for _ in subtree(node)) - 1


def step_text(node: Node) -> str:
    """The step that led to a node: the action, how often it was sampled, and what it brought that is new."""
    action = node.action if node.action is not None else f"(no action) {node.response}"
    copies = f" ×{node.copies}" if node.copies > 1 else ""
    return f"{one_line(action)}{copies} → {one_line(news(node))}"


def news(node: Node, least: int = 30) -> str:
    """The observation without a long beginning that the one before has too: pages repeat the task at their head."""
    before, now = node.parent.observation if node.parent else "", node.observation
    if before[:least] != now[:least] or len(now) < least:
        return now
    if before == now:
        return "the same again"
    shared = next((at for at, (old, new) in enumerate(zip(before, now, strict=False)) if old != new), len(before))
    return "… " + now[now.rfind(" ", 0, shared) + 1 :]


def cut_text(count: int) -> str:
    """``✂ cut of 2 revisions``."""
    return f"✂ cut of {count} revision{'s' if count > 1 else ''}"
