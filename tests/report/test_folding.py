"""What is unfolded of a tree, and which steps are no branches of their own."""

from __future__ import annotations

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Task
from agentr_core.report.folding import best, fold, unplayed, worth_seeing
from agentr_core.turns import Message


def grown() -> Tree:
    """1 → 2 solved; 3 → 4 → 5 failed, 6 failed worse; 7 never visited; 8 → 9 left there."""
    tree = Tree(Task(key="t", split="train", instruction="Go."), (Message("user", "go"),), seed=1)

    def add(parent: int, reward: float | None = None, visits: int = 1) -> Node:
        node = tree.add(tree.nodes[parent], visits=visits, reward=reward or 0.0)
        node.terminal = reward is not None
        return node

    add(0)
    add(1, 1.0)
    add(0)
    add(3)
    add(4, 0.5)
    add(4, 0.1)
    add(3, visits=0)
    add(0)
    add(8)
    return tree


def test_steps_that_follow_each_other_are_one_branch_whatever_was_not_played_beside_them() -> None:
    tree = grown()
    root = fold(tree)
    assert [[step.index for step in branch.steps] for branch in root.branches] == [[1, 2], [3, 4], [8, 9]]
    assert [[step.index for step in branch.steps] for branch in root.branches[1].branches] == [[5], [6]]
    assert [node.index for node in unplayed(tree.nodes[3])] == [7]
    assert (root.below, root.branches[1].below) == (9, 4)


def test_open_are_the_ways_to_the_best_the_best_failed_and_every_cut() -> None:
    tree = grown()
    assert worth_seeing(tree) == {0, 1, 2, 3, 4, 5}
    assert [branch.open for branch in fold(tree).branches] == [True, True, False]
    assert worth_seeing(tree, cuts=[9]) == {0, 1, 2, 3, 4, 5, 8, 9}
    assert [branch.open for branch in fold(tree, cuts=[9]).branches] == [True, True, True]
    assert [branch.open for branch in fold(tree, cuts=[8]).branches] == [True, True, False], "its row is seen as it is"


def test_a_tree_of_a_root_alone_is_drawn_too() -> None:
    tree = Tree(Task(key="t", split="train", instruction="Go."), (Message("user", "go"),), seed=1)
    assert worth_seeing(tree) == set() and fold(tree).branches == [] and best([]) is None
