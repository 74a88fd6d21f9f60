"""From a tree to revision trajectories: pair, cut, splice (Agent-R section 3.1; method choices 2 to 5). Pure.

    bad        head  a1 o1 ... at ot | ab(t+1) ob(t+1) ... ab(t') ob(t') ... ab(T)
    good       head  a1 o1 ... at ot | ag(t+1) og(t+1) ... ag(T)
    revision   head  a1 o1 ... at ot | ab(t+1) ob(t+1) ... ab(t') ob(t') | signal, ok. | ag(t+1) og(t+1) ... ag(T)

t is the divergence (the steps up to it are the same nodes), t' the cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from operator import is_
from typing import Literal

from agentr_core.interfaces.tree import Node, Tree, shared_start
from agentr_core.seeds import derive_rng


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A bad and a good leaf of one tree; ``divergence`` is t, the number of leading steps that are the same nodes."""

    bad: Node
    good: Node
    divergence: int


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """A good and a bad leaf whose paths part at ``node`` (its index): a preference pair."""

    node: int
    good: Node
    bad: Node


def good_leaves(tree: Tree, alpha: float) -> list[Node]:
    """The leaves with reward of at least alpha, and above 0 (section 3.2: alpha at 1 must admit reward 1)."""
    return [leaf for leaf in tree.leaves() if leaf.reward >= alpha and leaf.reward > 0.0]


def is_pair(bad: float, good: float, *, alpha: float, beta: float, mode: Literal["gap", "absolute"]) -> bool:
    """The reward conditions of equation 4; ``gap``: r(good) - r(bad) > beta, ``absolute``: r(bad) < beta < r(good)."""
    apart = good - bad > beta if mode == "gap" else bad < beta < good
    return good > 0.0 and good >= alpha and apart


def pair(
    tree: Tree,
    *,
    alpha: float,
    beta: float,
    mode: Literal["gap", "absolute"] = "gap",
    max_pairs_per_tree: int,
    max_pairs_per_leaf: int,
    seed: int,
) -> list[Pair]:
    """Pairs of leaves that satisfy the reward conditions, capped for each tree and leaf.

    Where there are more than the caps allow, the pair whose bad leaf has been used least comes first, then the one
    whose good leaf has, then chance (seeded by ``seed``), so that no leaf dominates. (The official code takes all,
    O(leaves^2).) Order: by bad, then good leaf.
    """
    enough = good_leaves(tree, alpha)
    found = [
        (bad, best) for bad in tree.leaves() for best in enough
        if is_pair(bad.reward, best.reward, alpha=alpha, beta=beta, mode=mode)
    ]  # fmt: skip
    derive_rng(seed, "pairs").shuffle(found)
    chosen = _balanced(found, max_pairs_per_tree, max_pairs_per_leaf)
    chosen.sort(key=lambda leaves: (leaves[0].index, leaves[1].index))
    return [Pair(bad, best, shared_steps(bad, best)) for bad, best in chosen]


def _balanced(found: Sequence[tuple[Node, Node]], per_tree: int, per_leaf: int) -> list[tuple[Node, Node]]:
    """Take the pair of the least used leaves, again and again; equal ones in the order of ``found``."""
    wanted = Counter(leaf for leaves in found for leaf in leaves)
    if len(found) <= per_tree and max(wanted.values(), default=0) <= per_leaf:
        return list(found)
    used: Counter[Node] = Counter()
    waiting = [(0, 0, order) for order in range(len(found))]
    chosen: list[tuple[Node, Node]] = []
    while waiting and len(chosen) < per_tree:
        *counted, order = heappop(waiting)
        uses = [used[leaf] for leaf in found[order]]
        if max(uses) >= per_leaf:
            continue
        if uses == counted:
            chosen.append(found[order])
            used.update(found[order])
        else:
            heappush(waiting, (uses[0], uses[1], order))
    return chosen


def shared_steps(left: Node, right: Node) -> int:
    """t: the number of leading steps that are the same nodes."""
    return shared_start(left.path(), right.path(), is_)


def contrasts(tree: Tree, *, alpha: float, beta: float, mode: Literal["gap", "absolute"] = "gap") -> list[Contrast]:
    """Preference pairs: at each node, the best leaf against the worst one that another action leads to.

    Only where the two satisfy the reward conditions of :func:`is_pair`; at most one pair a node, by node.
    """
    best, worst = _extremes(tree)
    found = []
    for node in tree.nodes:
        ways = [child for child in node.children if child in best]
        if len(ways) < 2:
            continue
        way = max(ways, key=lambda child: best[child].reward)
        good, bad = best[way], min((worst[child] for child in ways if child is not way), key=lambda leaf: leaf.reward)
        if is_pair(bad.reward, good.reward, alpha=alpha, beta=beta, mode=mode):
            found.append(Contrast(node.index, good, bad))
    return found


def _extremes(tree: Tree) -> tuple[dict[Node, Node], dict[Node, Node]]:
    """By node: the best and the worst leaf below it, the earlier of equal ones."""
    best: dict[Node, Node] = {}
    worst: dict[Node, Node] = {}
    for leaf in tree.leaves():
        for node in leaf.ancestors():
            if node not in best or leaf.reward > best[node].reward:
                best[node] = leaf
            if node not in worst or leaf.reward < worst[node].reward:
                worst[node] = leaf
    return best, worst
