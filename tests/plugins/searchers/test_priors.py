"""Selection by priors, worked out by hand."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from agentr_mcts.config import MCTSConfig
from agentr_mcts.priors import (
    expected,
    gumbel,
    halving,
    improved_logits,
    priors,
    puct,
    select_gumbel,
    select_puct,
    walks_below,
)
from agentr_mcts.search import MCTS

from agentr_core import ConfigError, UsageError, create
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.records import Completion, Task
from agentr_core.testing.fakes import InstantPolicy

PUCT, GUMBEL = MCTSConfig(selection="puct"), MCTSConfig(selection="gumbel", simulations=8)


def small_tree(*values: tuple[int, float, int]) -> Tree:
    """A root with one child for each triple of visits, sum of rewards and copies."""
    tree = Tree(Task(key="t", split="train", instruction=""), (), seed=0)
    for visits, value_sum, copies in values:
        tree.add(tree.root, visits=visits, value_sum=value_sum, copies=copies)
        tree.root.visits += visits
        tree.root.value_sum += value_sum
    return tree


def alone(tree: Tree) -> Counter[Node]:
    return Counter([tree.root])


@pytest.mark.parametrize(
    ("value", "prior", "visits", "parent_visits", "expected"),
    [(0.5, 0.25, 3, 16, 0.75), (0.5, 0.25, 0, 16, 1.5), (0.0, 0.5, 0, 0, 0.5)],
)
def test_puct(value: float, prior: float, visits: int, parent_visits: int, expected: float) -> None:
    assert puct(value, prior, visits, parent_visits, 1.0) == expected


def test_an_unvisited_child_counts_for_what_its_parent_is_worth() -> None:
    """UCT would go to the third child; PUCT stays where reward was found, until the prior says otherwise."""
    tree = small_tree((2, 2.0, 1), (2, 0.0, 1), (0, 0.0, 1))
    # 1 + 1/3 * 2/3 = 1.22 against 0.5 + 1/3 * 2 = 1.17
    assert select_puct(tree.root, PUCT, random.Random(0), alone(tree)) is tree.nodes[1]
    tree = small_tree((2, 2.0, 1), (2, 0.0, 1), (0, 0.0, 2))
    # 1 + 1/4 * 2/3 = 1.17 against 0.5 + 2/4 * 2 = 1.5
    assert select_puct(tree.root, PUCT, random.Random(0), alone(tree)) is tree.nodes[3]


def test_an_unvisited_child_counts_for_what_a_value_model_says() -> None:
    tree = small_tree((2, 1.0, 1), (0, 0.0, 1), (0, 0.0, 1))
    assert [expected(child) for child in tree.root.children[1:]] == [0.5, 0.5], "the parent's, where none was asked"
    tree.nodes[3].info = {"search": {"value": 0.9}}
    # 0.5 + 1/3 sqrt(2) / 3 = 0.66 against 0.5 + 1/3 sqrt(2) = 0.97 and 0.9 + 0.47 = 1.37
    assert select_puct(tree.root, PUCT, random.Random(0), alone(tree)) is tree.nodes[3]
    tree.nodes[3].info = {"search": {"value": 0.1}}
    assert select_puct(tree.root, PUCT, random.Random(0), alone(tree)) is tree.nodes[2]
    logits = improved_logits(tree.root, tree.root.children, GUMBEL, alone(tree))
    assert logits[tree.nodes[3]] == pytest.approx(math.log(1 / 3) + 52 * 0.1 * 0.1)


def test_a_guide_wants_a_rule_that_follows_it() -> None:
    with pytest.raises(ConfigError, match="value_model guides selection=puct and selection=gumbel"):
        create("searcher", "mcts", value_model="somewhere")
    with pytest.raises(ConfigError, match="consider=8 needs a model that chooses among them: give value_model"):
        create("searcher", "mcts", consider=8)
    with pytest.raises(ConfigError, match="consider=4 must be more than samples=4"):
        create("searcher", "mcts", value_model="somewhere", selection="puct", consider=4)


def test_a_walk_in_flight_is_a_visit_without_reward() -> None:
    tree = small_tree((2, 2.0, 1), (0, 0.0, 1))
    flight = Counter([tree.root, tree.root, tree.nodes[1]])
    # 2/3 + 1/2 sqrt(3) / 4 = 0.88 against 1 + 1/2 sqrt(3) = 1.87
    assert select_puct(tree.root, PUCT, random.Random(0), flight) is tree.nodes[2]


def test_priors_are_shares_of_the_samples_or_of_the_likelihood() -> None:
    tree = small_tree((0, 0.0, 3), (0, 0.0, 1))
    assert list(priors(tree.root, "copies").values()) == [0.75, 0.25]
    for child, logprobs in zip(tree.root.children, [(-1.0, -1.0), (-1.0 - math.log(3),)], strict=True):
        child.completion = Completion(text="", token_ids=(1,) * len(logprobs), logprobs=logprobs)
    assert list(priors(tree.root, "likelihood").values()) == pytest.approx([0.75, 0.25])


def test_a_policy_without_log_probabilities_is_told_what_to_take() -> None:
    tree = small_tree((0, 0.0, 1))
    with pytest.raises(UsageError, match=r"begin another run with mcts\.prior=copies"):
        priors(tree.root, "likelihood")


@pytest.mark.parametrize(
    ("children", "simulations", "expected"),
    [
        (4, 8, [0, 0, 0, 0, 1, 1, 2, 2]),
        (4, 16, [0] * 4 + [1] * 4 + [2, 2, 3, 3, 4, 4, 5, 5]),
        (3, 6, [0, 0, 0, 1, 1, 2]),
        (1, 3, [0, 1, 2]),
        (0, 2, [0, 1]),
        (8, 4, [0, 0, 0, 0]),
    ],
)
def test_sequential_halving(children: int, simulations: int, expected: list[int]) -> None:
    assert halving(children, simulations) == expected


def test_the_root_gives_the_second_half_of_the_simulations_to_the_better_half_of_its_children(grow) -> None:
    """Each simulation has its turn: four children once each, then the best two twice more."""
    tree = grow.one(MCTS(GUMBEL.model_copy(update={"merge": "response", "depth": 4})), InstantPolicy(), first=9).tree
    walks = sorted((walks_below(child) for child in tree.root.children if not child.terminal), reverse=True)
    assert sum(walks) == 8 == tree.simulations
    assert walks == [3, 3, 1, 1]


def test_value_outweighs_chance_and_prior_once_the_halving_has_begun() -> None:
    tree = small_tree((4, 0.0, 3), (4, 4.0, 1))
    for child in tree.root.children:
        child.expanded = True
    numbers = Counter(
        select_gumbel(tree.root, GUMBEL, 4, alone(tree), lambda name, index, seed=seed: random.Random(seed + index))
        for seed in range(50)
    )
    assert numbers == {tree.nodes[2]: 50}  # (50 + 4) * 0.1 * (1 - 0) = 5.4 against ln 3 and two Gumbel draws


def test_below_the_root_visits_follow_the_improved_policy() -> None:
    tree = small_tree((0, 0.0, 1))
    node = tree.nodes[1]
    even = [tree.add(node, copies=1), tree.add(node, copies=3)]
    node.visits = 8
    for had, due in (((0, 0), even[1]), ((0, 3), even[0]), ((2, 3), even[1])):
        for child, visits in zip(even, had, strict=True):
            child.visits = visits
            child.value_sum = 0.0
        assert select_gumbel(node, GUMBEL, 0, alone(tree), lambda *names: random.Random(0)) is due


def test_gumbel_draws_have_their_mean() -> None:
    rng = random.Random(1)
    assert sum(gumbel(rng) for _ in range(4_000)) / 4_000 == pytest.approx(0.5772, abs=0.06)


def test_nothing_open_is_nothing_to_select() -> None:
    tree = small_tree((1, 0.0, 1))
    tree.nodes[1].exhausted = True
    assert select_puct(tree.root, PUCT, random.Random(0), alone(tree)) is None
    assert select_gumbel(tree.root, GUMBEL, 0, alone(tree), lambda *names: random.Random(0)) is None


def test_what_came_later_is_no_part_of_a_search_that_does_without() -> None:
    """A run from before it can be gone on with: its searcher is told apart by the same values."""
    before = {
        "simulations", "depth", "samples", "c_uct", "temperature", "top_p", "max_tokens", "stop", "merge",
        "leaves_in_flight",
    }  # fmt: skip
    assert MCTSConfig().model_dump(mode="json").keys() == before
    chosen = MCTSConfig(selection="puct", again=2)
    assert chosen.model_dump(mode="json").keys() == before | {"selection", "again"}
    assert MCTSConfig.model_validate(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize("searcher", ["mcts", "beam", "reflect"])
def test_asking_again_greedily_is_refused(searcher: str) -> None:
    with pytest.raises(ConfigError, match="again at temperature 0 brings the same answers"):
        create("searcher", searcher, again=1, temperature=0)
    assert create("searcher", searcher, again=1, temperature=0, again_temperature=1.2).config.again == 1
