"""How good the actions of a tree were, by its numbers alone: what is learnt from actions, and what is shown of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentr_core.interfaces.tree import Tree

#: How much the whole tree counts beside the siblings, unless a trainer says otherwise.
WHOLE_TREE = 0.5


class Counted(Protocol):
    """The numbers of a node."""

    @property
    def visits(self) -> int:
        """Finished attempts below it."""

    @property
    def value_sum(self) -> float:
        """The sum of their rewards."""

    @property
    def copies(self) -> int:
        """How often it was drawn."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What is known of an action below which an end was reached; the numbers are those of
    :class:`~agentr_core.interfaces.training_sets.ActionRow`. ``siblings``: the evaluated actions at its state."""

    q: float
    baseline: float
    root: float
    reach: float
    share: float
    visits: int
    siblings: int

    @property
    def advantage(self) -> float:
        """See :func:`advantage`, with the usual part of the whole tree."""
        return advantage(self.q, self.baseline, self.root, WHOLE_TREE)

    @property
    def weight(self) -> float:
        """How often the policy takes the action."""
        return self.reach * self.share


def advantage(q: float, baseline: float, root: float, whole_tree: float) -> float:
    """How much better than its siblings, plus ``whole_tree`` times how much better than the tree's mean."""
    return (q - baseline) + whole_tree * (q - root)


def credits(nodes: Sequence[Counted], parents: Sequence[int | None], ends: Collection[float]) -> dict[int, Credit]:
    """The credit of every evaluated action of a tree, by the place of its node in ``nodes`` (a parent comes before its
    children, the root first). ``ends`` are the rewards of its attempts: where all are alike, nothing was better.

    Reach goes on with evaluated actions alone: which of the drawn ones are followed is not chosen by what they say, so
    those stand for the others. Shared out among all that were drawn, the weights of a depth would add up to less and
    less (a half at each step of a walk that follows one of two), and hardly anything would be learnt from late steps.
    """
    if len(set(ends)) < 2:
        return {}
    children = defaultdict[int, list[int]](list)
    for place, parent in enumerate(parents):
        if parent is not None:
            children[parent].append(place)
    root, reach = nodes[0].value_sum / max(1, nodes[0].visits), {0: 1.0}
    found: dict[int, Credit] = {}
    for state in range(len(nodes)):
        known = {child: nodes[child] for child in children[state] if nodes[child].visits}
        copies = sum(node.copies for node in known.values())
        value = {child: node.value_sum / node.visits for child, node in known.items()}
        baseline = sum(node.copies * value[child] for child, node in known.items()) / copies if copies else 0.0
        for child, node in known.items():
            share = node.copies / copies
            reach[child] = reach[state] * share
            found[child] = Credit(value[child], baseline, root, reach[state], share, node.visits, len(known))
    return found


def tree_credits(tree: Tree) -> dict[int, Credit]:
    """The credits of a tree, by node."""
    parents = [None if node.parent is None else node.parent.index for node in tree.nodes]
    return credits(tree.nodes, parents, [leaf.reward for leaf in tree.leaves()])
