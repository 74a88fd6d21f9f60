"""Which leaves are paired: conditions of equation 4, caps, balance, and that nothing but the tree and seed decide."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentr_core import Message, Task, Tree
from agentr_core.revision import contrasts, good_leaves, is_pair, pair, shared_steps

REWARDS = st.sampled_from([0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0])
SHAPES = st.lists(st.tuples(st.integers(0, 40), REWARDS), min_size=1, max_size=40)


def make_tree(shape: list[tuple[int, float]]) -> Tree:
    """Each pair hangs a node below an earlier one (modulo how many there are); nodes without children are ends."""
    tree = Tree(Task(key="t", split="train", instruction="Do."), (Message("system", "s"), Message("user", "o")), seed=1)
    for place, reward in shape:
        tree.add(tree.nodes[place % len(tree.nodes)], response="r", action="a", reward=reward)
    for node in tree.nodes[1:]:
        node.terminal = not node.children
    return tree


def paired(tree: Tree, **changes: Any) -> list[tuple[int, int]]:
    values: dict[str, Any] = {
        "alpha": 0.5, "beta": 0.2, "mode": "gap", "max_pairs_per_tree": 32, "max_pairs_per_leaf": 4, "seed": 1,
    }  # fmt: skip
    return [(one.bad.index, one.good.index) for one in pair(tree, **{**values, **changes})]


@settings(max_examples=150, deadline=None)
@given(
    SHAPES, REWARDS, REWARDS, st.sampled_from(["gap", "absolute"]), st.integers(1, 20), st.integers(1, 5),
    st.integers(0, 3),
)  # fmt: skip
def test_pairs_keep_conditions_and_caps(
    shape: list[tuple[int, float]], alpha: float, beta: float, mode: Any, per_tree: int, per_leaf: int, seed: int
) -> None:
    tree = make_tree(shape)
    options = {"alpha": alpha, "beta": beta, "mode": mode, "max_pairs_per_leaf": per_leaf, "seed": seed}
    found = paired(tree, **options, max_pairs_per_tree=per_tree)
    assert found == sorted(set(found)) == paired(tree, **options, max_pairs_per_tree=per_tree)
    assert len(found) <= per_tree
    assert all(count <= per_leaf for count in Counter(leaf for one in found for leaf in one).values())
    for bad, good in found:
        low, high = tree.nodes[bad].reward, tree.nodes[good].reward
        assert high >= alpha and high > 0 and low < high
        assert high - low > beta if mode == "gap" else low < beta < high
        assert tree.nodes[bad].terminal and tree.nodes[good].terminal


@settings(max_examples=80, deadline=None)
@given(SHAPES, st.integers(0, 3))
def test_without_caps_every_pair_that_qualifies_is_taken(shape: list[tuple[int, float]], seed: int) -> None:
    tree = make_tree(shape)
    leaves = tree.leaves()
    expected = [
        (bad.index, good.index) for bad in leaves for good in leaves
        if is_pair(bad.reward, good.reward, alpha=0.5, beta=0.2, mode="gap")
    ]  # fmt: skip
    assert paired(tree, max_pairs_per_tree=10_000, max_pairs_per_leaf=10_000, seed=seed) == sorted(expected)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 20))
def test_no_bad_leaf_is_used_twice_before_each_was_used_once(bad: int, per_leaf: int, per_tree: int) -> None:
    """One fan of bad leaves, and good ones enough that they bound nothing."""
    tree = fan([0.0] * bad + [1.0] * (bad * per_leaf))
    used = Counter(one for one, _ in paired(tree, max_pairs_per_leaf=per_leaf, max_pairs_per_tree=per_tree))
    total = min(per_tree, bad * per_leaf)
    assert sum(used.values()) == total
    assert max(used.values()) - (min(used.values()) if len(used) == bad else 0) <= 1
    assert len(used) == min(bad, total)


def fan(rewards: list[float]) -> Tree:
    """All leaves right below the root."""
    tree = make_tree([(0, rewards[0])])
    for reward in rewards[1:]:
        tree.add(tree.root, response="r", action="a", reward=reward, terminal=True)
    return tree


@pytest.mark.parametrize(
    ("bad", "good", "alpha", "beta", "mode", "expected"),
    [
        (0.0, 1.0, 1.0, 0.2, "gap", True),  # reward 1 passes alpha 1: the official code's strict test admits nothing
        (0.0, 0.9, 1.0, 0.2, "gap", False),
        (0.8, 1.0, 0.5, 0.25, "gap", False),
        (0.5, 1.0, 0.5, 0.5, "gap", False),  # the gap is strict
        (0.5, 1.0, 0.5, 0.2, "gap", True),
        (0.5, 1.0, 0.5, 0.2, "absolute", False),
        (0.1, 0.6, 0.5, 0.2, "absolute", True),
        (0.2, 0.6, 0.5, 0.2, "absolute", False),
        (0.0, 0.0, 0.0, 0.0, "gap", False),
    ],
)
def test_conditions(bad: float, good: float, alpha: float, beta: float, mode: Any, expected: bool) -> None:
    assert is_pair(bad, good, alpha=alpha, beta=beta, mode=mode) is expected


def test_alpha_0_still_needs_a_reward() -> None:
    tree = fan([0.0, 0.2, 1.0])
    assert [leaf.reward for leaf in good_leaves(tree, 0.0)] == [0.2, 1.0]
    assert [leaf.reward for leaf in good_leaves(tree, 1.0)] == [1.0]


def test_another_seed_takes_other_pairs_of_a_large_tree() -> None:
    tree = fan([0.0] * 20 + [1.0] * 20)
    assert paired(tree, seed=1) != paired(tree, seed=2)


def test_divergence_counts_nodes_and_not_texts() -> None:
    """Two children that say the same are two nodes."""
    tree = make_tree([(0, 0.0), (0, 0.0), (1, 0.0), (2, 1.0)])
    assert [node.response for node in tree.nodes[1:]] == ["r"] * 4
    (one,) = pair(tree, alpha=0.5, beta=0.2, max_pairs_per_tree=9, max_pairs_per_leaf=9, seed=1)
    assert (one.bad.index, one.good.index, one.divergence) == (3, 4, 0)
    assert shared_steps(tree.nodes[3], tree.nodes[1]) == 1


def test_contrasts_are_the_best_and_worst_where_they_part() -> None:
    #        root ─ 1 ─ 2 (0.0)
    #             │   ├ 3 ─ 4 (1.0)
    #             │   └ 5 (0.3)
    #             └ 6 (0.9)
    tree = make_tree([(0, 0.0), (1, 0.0), (1, 0.0), (3, 1.0), (1, 0.3), (0, 0.9)])
    found = [(one.node, one.good.index, one.bad.index) for one in contrasts(tree, alpha=0.5, beta=0.2)]
    # Below the root the best and the worst leaf share node 1, so they part there and not at the root.
    assert found == [(1, 4, 2)]
    assert contrasts(tree, alpha=0.5, beta=1.0) == []


@settings(max_examples=80, deadline=None)
@given(SHAPES)
def test_contrasts_part_at_their_node(shape: list[tuple[int, float]]) -> None:
    tree = make_tree(shape)
    for one in contrasts(tree, alpha=0.5, beta=0.2):
        assert shared_steps(one.good, one.bad) == tree.nodes[one.node].depth
        assert one.good.reward - one.bad.reward > 0.2 and one.good.reward >= 0.5
        below = [leaf.reward for leaf in tree.leaves() if tree.nodes[one.node] in leaf.ancestors()]
        assert math.isclose(one.good.reward, max(below)) and math.isclose(one.bad.reward, min(below))
