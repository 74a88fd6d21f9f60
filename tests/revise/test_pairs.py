"""Pairs of leaves, and preference pairs."""

from __future__ import annotations

from collections import Counter

import pytest
from counting import planted
from hypothesis import given, settings
from hypothesis import strategies as st

from agentr_core import Message, Task, Tree
from agentr_core.revise.pairs import contrasts, good_leaves, is_pair, pair, shared_steps

TASK = Task(key="t", split="train", instruction="do")
NO_CAPS = {"max_pairs_per_tree": 10_000, "max_pairs_per_leaf": 10_000}
REWARDS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def grown(shape: list[tuple[int, float]]) -> Tree:
    """A tree from (parent, reward) of each node; a parent is a number that is taken modulo what is there already."""
    tree = Tree(TASK, (Message("user", "start"),), seed=0)
    for parent, reward in shape:
        tree.add(tree.nodes[parent % len(tree.nodes)], response=f"r{len(tree.nodes)}", reward=reward)
    for node in tree.nodes:
        node.terminal = not node.children and node is not tree.root
    return tree


def star(*rewards: float) -> Tree:
    return grown([(0, reward) for reward in rewards])


trees = st.lists(st.tuples(st.integers(0, 60), st.sampled_from(REWARDS)), max_size=40).map(grown)
thresholds = st.fixed_dictionaries(
    {"alpha": st.sampled_from(REWARDS), "beta": st.sampled_from(REWARDS), "mode": st.sampled_from(["gap", "absolute"])}
)


def key(pairs) -> list[tuple[int, int, int]]:
    return [(one.bad.index, one.good.index, one.divergence) for one in pairs]


@pytest.mark.parametrize(
    ("bad", "good", "alpha", "beta", "gap", "absolute"),
    [
        (0.0, 1.0, 1.0, 0.2, True, True),  # alpha 1 admits reward 1
        (0.0, 0.99, 1.0, 0.2, False, False),
        (0.3, 0.5, 0.5, 0.2, False, False),  # the gap is not more than beta
        (0.2, 0.5, 0.5, 0.2, True, False),  # r(bad) is not below beta
        (0.1, 0.2, 0.1, 0.05, True, False),
        (0.1, 0.9, 0.5, 0.9, False, False),
        (0.8, 0.9, 0.5, 0.0, True, False),
        (0.0, 0.5, 0.0, 0.2, True, True),
        (0.0, 0.0, 0.0, 0.0, False, False),  # nothing is learnt from reward 0
    ],
)
def test_reward_conditions(bad: float, good: float, alpha: float, beta: float, gap: bool, absolute: bool) -> None:
    assert is_pair(bad, good, alpha=alpha, beta=beta, mode="gap") is gap
    assert is_pair(bad, good, alpha=alpha, beta=beta, mode="absolute") is absolute


def test_good_leaves_have_at_least_alpha_and_more_than_nothing() -> None:
    tree = star(0.0, 0.5, 0.7, 1.0)
    assert [leaf.reward for leaf in good_leaves(tree, 0.7)] == [0.7, 1.0]
    assert [leaf.reward for leaf in good_leaves(tree, 1.0)] == [1.0]
    assert [leaf.reward for leaf in good_leaves(tree, 0.0)] == [0.5, 0.7, 1.0]


def test_pairs_of_a_tree_by_hand() -> None:
    tree, leaves = planted()
    found = pair(tree, alpha=0.7, beta=0.2, seed=0, **NO_CAPS)
    names = {leaf: name for name, leaf in leaves.items()}
    assert {(names[one.bad], names[one.good]): one.divergence for one in found} == {
        ("over", "good"): 2,
        ("over", "late"): 2,
        ("slip", "good"): 2,
        ("slip", "late"): 3,
        ("short", "good"): 1,
        ("short", "late"): 1,
        ("astray", "good"): 0,
        ("astray", "late"): 0,
    }


@settings(max_examples=60, deadline=None)
@given(trees, thresholds, st.integers(0, 3), st.integers(1, 12), st.integers(1, 4))
def test_pairs_keep_every_condition_and_cap(tree, thresholds, seed, per_tree, per_leaf) -> None:
    caps = {"max_pairs_per_tree": per_tree, "max_pairs_per_leaf": per_leaf}
    found = pair(tree, seed=seed, **thresholds, **caps)
    assert key(found) == sorted(set(key(found)))
    assert len(found) <= per_tree
    used = Counter(leaf.index for one in found for leaf in (one.bad, one.good))
    assert max(used.values(), default=0) <= per_leaf
    for one in found:
        assert is_pair(one.bad.reward, one.good.reward, **thresholds)
        assert one.bad.path()[: one.divergence] == one.good.path()[: one.divergence]
        bad, good = one.bad.path()[one.divergence :], one.good.path()[one.divergence :]
        assert bad and good and bad[0] is not good[0]
    assert key(pair(tree, seed=seed, **thresholds, **caps)) == key(found)


@settings(max_examples=60, deadline=None)
@given(trees, thresholds, st.integers(0, 3))
def test_without_caps_every_pair_is_taken_whatever_the_seed(tree, thresholds, seed) -> None:
    leaves = tree.leaves()
    expected = {
        (bad.index, good.index)
        for bad in leaves for good in leaves
        if is_pair(bad.reward, good.reward, **thresholds)
    }  # fmt: skip
    found = pair(tree, seed=seed, **thresholds, **NO_CAPS)
    assert {(one.bad.index, one.good.index) for one in found} == expected


@settings(max_examples=60, deadline=None)
@given(trees, thresholds, st.integers(1, 12), st.integers(1, 4))
def test_no_pair_could_be_added_within_the_caps(tree, thresholds, per_tree, per_leaf) -> None:
    found = pair(tree, seed=0, **thresholds, max_pairs_per_tree=per_tree, max_pairs_per_leaf=per_leaf)
    if len(found) == per_tree:
        return
    used = Counter(leaf for one in found for leaf in (one.bad, one.good))
    taken = {(one.bad, one.good) for one in found}
    for one in pair(tree, seed=0, **thresholds, **NO_CAPS):
        assert (one.bad, one.good) in taken or max(used[one.bad], used[one.good]) >= per_leaf


def test_another_bad_leaf_comes_before_another_partner() -> None:
    tree = star(*[0.0] * 10, 1.0, 1.0)
    found = pair(tree, alpha=1.0, beta=0.2, seed=1, max_pairs_per_tree=8, max_pairs_per_leaf=4)
    assert len(found) == len({one.bad.index for one in found}) == 8
    assert Counter(one.good.index for one in found) == {11: 4, 12: 4}


def test_good_leaves_are_used_alike() -> None:
    tree = star(*[0.0] * 12, 1.0, 1.0, 1.0)
    found = pair(tree, alpha=1.0, beta=0.2, seed=5, max_pairs_per_tree=6, max_pairs_per_leaf=6)
    assert Counter(one.good.index for one in found) == {13: 2, 14: 2, 15: 2}


def test_the_seed_chooses_among_equals() -> None:
    tree = star(*[0.0] * 12, 1.0, 1.0, 1.0)
    chosen = {
        tuple(key(pair(tree, alpha=1.0, beta=0.2, seed=seed, max_pairs_per_tree=4, max_pairs_per_leaf=2)))
        for seed in range(10)
    }
    assert len(chosen) > 5


def test_shared_steps_go_by_node_and_not_by_text() -> None:
    tree = grown([(0, 0.0), (0, 0.0), (1, 0.0), (1, 1.0), (2, 1.0)])
    for node in tree.nodes:
        node.response = "the same"
    assert shared_steps(tree.nodes[3], tree.nodes[4]) == 1
    assert shared_steps(tree.nodes[3], tree.nodes[5]) == 0


def test_preference_pairs_by_hand() -> None:
    tree, leaves = planted()
    names = {leaf: name for name, leaf in leaves.items()}
    found = [(one.node, names[one.good], names[one.bad]) for one in contrasts(tree, alpha=0.7, beta=0.2)]
    after_add_2, after_double, after_jump = leaves["slip"].path()[:3]
    assert found == [
        (0, "good", "astray"),
        (after_add_2.index, "good", "short"),
        (after_double.index, "good", "slip"),
        (after_jump.index, "late", "slip"),
    ]


def test_the_worst_leaf_may_lie_below_the_best_action() -> None:
    #      root -> a -> (1.0 | 0.0)      root -> b = 0.3: b is what is not to be preferred at the root
    tree = grown([(0, 0.0), (0, 0.3), (1, 1.0), (1, 0.0)])
    found = [(one.node, one.good.reward, one.bad.reward) for one in contrasts(tree, alpha=0.5, beta=0.2)]
    assert found == [(0, 1.0, 0.3), (1, 1.0, 0.0)]
    assert [one.node for one in contrasts(tree, alpha=0.5, beta=0.2, mode="absolute")] == [1]


@settings(max_examples=60, deadline=None)
@given(trees, thresholds)
def test_preference_pairs_part_at_their_node(tree, thresholds) -> None:
    found = contrasts(tree, **thresholds)
    assert [one.node for one in found] == sorted({one.node for one in found})
    for one in found:
        assert is_pair(one.bad.reward, one.good.reward, **thresholds)
        assert shared_steps(one.good, one.bad) == tree.nodes[one.node].depth
        assert tree.nodes[one.node] in one.good.ancestors()
