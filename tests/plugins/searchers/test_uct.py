from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from agentr_mcts.config import MCTSConfig
from agentr_mcts.search import MCTS, backup, mark_exhausted, select, uct

from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Task
from agentr_core.testing.fakes import ScriptedPolicy


def small_tree(*values: tuple[int, float]) -> Tree:
    """A root with one child for each pair of visits and sum of rewards."""
    tree = Tree(Task(key="t", split="train", instruction=""), (), seed=0)
    for visits, value_sum in values:
        tree.add(tree.root, visits=visits, value_sum=value_sum)
        tree.root.visits += visits
        tree.root.value_sum += value_sum
    return tree


@pytest.mark.parametrize(
    ("value_sum", "visits", "parent_visits", "expected"),
    [
        (0.0, 0, 0, math.inf),
        (0.0, 0, 9, math.inf),
        (1.0, 1, 1, 1.0),  # ln 1 = 0
        (1.5, 3, 8, 0.5 + 0.25 * 0.8325546111),  # sqrt(ln 8 / 3) = sqrt(0.6931...)
        (0.0, 4, 20, 0.25 * 0.8654091913),  # sqrt(ln 20 / 4) = sqrt(0.7489...)
    ],
)
def test_uct_is_equation_5(value_sum: float, visits: int, parent_visits: int, expected: float) -> None:
    assert uct(value_sum, visits, parent_visits, 0.25) == pytest.approx(expected)


def in_flight(tree: Tree, *others: Node) -> Counter[Node]:
    """One walk of one's own at the root, and other walks that stand at ``others``."""
    return Counter([tree.root, *(node for other in others for node in other.ancestors())])


def test_selection_takes_the_highest_uct() -> None:
    tree = small_tree((2, 1.0), (6, 3.3))
    # 0.5 + 0.25 sqrt(ln 8 / 2) = 0.755 against 0.55 + 0.25 sqrt(ln 8 / 6) = 0.697
    assert select(tree.root, 0.25, random.Random(0), in_flight(tree)) is tree.nodes[1]
    assert select(tree.root, 0.0, random.Random(0), in_flight(tree)) is tree.nodes[2]


def test_unvisited_children_come_first_and_ties_are_drawn() -> None:
    tree = small_tree((3, 3.0), (0, 0.0), (0, 0.0))
    drawn = {select(tree.root, 0.25, random.Random(seed), in_flight(tree)) for seed in range(20)}
    assert drawn == {tree.nodes[2], tree.nodes[3]}


def test_terminal_and_exhausted_children_are_passed_over() -> None:
    tree = small_tree((3, 3.0), (0, 0.0), (1, 0.0))
    tree.nodes[1].terminal = tree.nodes[2].exhausted = True
    assert select(tree.root, 0.25, random.Random(0), in_flight(tree)) is tree.nodes[3]
    tree.nodes[3].exhausted = True
    assert select(tree.root, 0.25, random.Random(0), in_flight(tree)) is None


def test_a_walk_in_flight_counts_as_a_visit_without_reward() -> None:
    tree = small_tree((2, 1.0), (6, 3.3))
    # the better child becomes 1/3 + 0.25 sqrt(ln 9 / 3) = 0.547, less than the other's 0.55 + 0.25 sqrt(ln 9 / 6)
    assert select(tree.root, 0.25, random.Random(0), in_flight(tree, tree.nodes[1])) is tree.nodes[2]
    tree = small_tree((0, 0.0), (0, 0.0))
    assert select(tree.root, 0.25, random.Random(0), in_flight(tree, tree.nodes[1])) is tree.nodes[2]


def test_backup_counts_every_node_on_the_way() -> None:
    tree = small_tree((0, 0.0), (0, 0.0))
    leaf = tree.add(tree.nodes[1], reward=0.5, terminal=True)
    backup(leaf)
    assert [(node.visits, node.value_sum) for node in tree.nodes] == [(1, 0.5), (1, 0.5), (0, 0.0), (1, 0.5)]


def test_exhaustion_climbs_only_as_far_as_all_children_are_closed() -> None:
    tree = small_tree((0, 0.0), (0, 0.0))
    left, right = tree.nodes[1:]
    tree.add(left, terminal=True)
    tree.add(left, exhausted=True)
    mark_exhausted(left)
    assert (left.exhausted, right.exhausted, tree.root.exhausted) == (True, False, False)
    tree.add(right, terminal=True)
    mark_exhausted(right)
    assert tree.root.exhausted


def test_a_tree_worked_out_by_hand(grow) -> None:
    """Two answers at each node, 'add 1' and 'stop', on the way to 5.

    One simulation walks 1, 2, 3, 4, 5: the four wrong stops are worth 0.1, 0.2, 0.3 and 0.4, the last 'add 1' goes too
    far (0.5) and the last 'stop' is right (1). Nothing is left then, so the second simulation never begins.
    """
    answers = ("add 1", "stop")
    policy = ScriptedPolicy(lambda messages, rng: f"Action: {rng.choice(answers)}")
    grown = grow.one(MCTS(MCTSConfig(simulations=8, samples=16)), policy)
    values = {
        (node.depth, node.action): (node.visits, round(node.value_sum, 9), node.terminal, node.exhausted)
        for node in grown.tree.nodes
    }
    assert values == {
        (0, None): (6, 2.5, False, True),
        (1, "add 1"): (5, 2.4, False, True),
        (1, "stop"): (1, 0.1, True, False),
        (2, "add 1"): (4, 2.2, False, True),
        (2, "stop"): (1, 0.2, True, False),
        (3, "add 1"): (3, 1.9, False, True),
        (3, "stop"): (1, 0.3, True, False),
        (4, "add 1"): (2, 1.5, False, True),
        (4, "stop"): (1, 0.4, True, False),
        (5, "add 1"): (1, 0.5, True, False),
        (5, "stop"): (1, 1.0, True, False),
    }
    assert grown.tree.simulations == 1
    assert all(sum(child.copies for child in node.children) == 16 for node in grown.tree.nodes if node.expanded)
