from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from agentr_mcts.config import MCTSConfig
from agentr_mcts.search import MCTS
from agentr_sampling.config import BestOfNConfig, GreedyConfig
from agentr_sampling.search import BestOfN, Greedy
from pydantic import ValidationError

from agentr_core import SamplingParams, create
from agentr_core.testing.fakes import CounterConfig, CounterEnvironment, InstantPolicy, ScriptedPolicy


class Endless(CounterEnvironment):
    """No action ends it: only the horizon does."""

    def reset(self, task):
        return super().reset(task.model_copy(update={"metadata": {"target": 10**12}}))


PAPER = MCTSConfig(**MCTSConfig.PRESETS["paper"])


def test_the_horizon_is_exactly_twenty_actions(grow) -> None:
    """Agent-R's code allows 21 (method D23)."""
    tree = grow.one(MCTS(PAPER), InstantPolicy(), world=Endless).tree
    assert {leaf.depth for leaf in tree.leaves()} == {20}
    assert max(node.depth for node in tree.nodes) == 20


def test_the_papers_tree_where_nothing_ends_early(grow) -> None:
    """Method 2.9, measured with the official code: 32 leaves; its 21st level aside, nodes and requests agree."""
    grown = grow.one(MCTS(PAPER), InstantPolicy(), world=Endless)
    assert grown.tree.simulations == 8
    assert len(grown.tree.leaves()) == 32
    assert grown.context.stats.samples == len(grown.tree.nodes) - 1
    assert Counter(len(node.children) for node in grown.tree.nodes).keys() == {0, 4}


def test_first_simulation_is_one_walk_to_the_horizon(grow) -> None:
    grown = grow.one(MCTS(MCTSConfig(simulations=1, depth=6, samples=3)), InstantPolicy(), world=Endless)
    expanded = [node for node in grown.tree.nodes if node.expanded]
    assert [node.depth for node in expanded] == [0, 1, 2, 3, 4, 5]
    assert all(node.parent is before for before, node in pairwise(expanded))
    assert len(grown.tree.nodes) == 1 + 6 * 3


def test_an_exhausted_tree_stops_early(grow) -> None:
    grown = grow.one(MCTS(MCTSConfig(simulations=50, depth=3, samples=4)), first=5)
    assert grown.tree.root.exhausted
    assert grown.tree.simulations < 50
    assert all(node.exhausted or node.terminal for node in grown.tree.nodes)


def test_search_ends_after_the_simulation_at_hand_when_stopped(grow) -> None:
    grown = grow.one(MCTS(MCTSConfig()), stop=lambda: True)
    assert (grown.tree.simulations, len(grown.tree.nodes)) == (0, 1)


def test_walks_in_flight_spread_out(grow) -> None:
    """Four walks expand the root once, then four different children."""
    config = MCTSConfig(simulations=4, leaves_in_flight=4, depth=2, samples=4, merge="response")
    grown = grow.one(MCTS(config), InstantPolicy(), world=Endless)
    assert [child.expanded for child in grown.tree.root.children] == [True] * 4
    assert grown.journal.commits[0][0] == list(range(21))


def test_walks_in_flight_ask_for_as_much_as_one_after_the_other(grow) -> None:
    nodes = {
        walks: len(
            grow.one(
                MCTS(PAPER.model_copy(update={"leaves_in_flight": walks})), InstantPolicy(), world=Endless
            ).tree.nodes
        )
        for walks in (1, 2, 8)
    }
    assert nodes[2] > 0.8 * nodes[1] and nodes[8] > 0.8 * nodes[1]


def test_best_of_n_draws_all_attempts_at_a_node_in_one_request(grow) -> None:
    grown = grow.one(BestOfN(BestOfNConfig(attempts=16, attempts_in_flight=16, merge="action")), first=5)
    assert grown.tree.root.visits == 16
    assert sum(child.copies for child in grown.tree.root.children) == 16
    expanded = [node for node in grown.tree.nodes if node.expanded]
    assert grown.context.stats.requests == len(expanded)
    assert all(sum(child.copies for child in node.children) == node.copies for node in expanded[1:])


def test_best_of_n_in_rounds_goes_on_from_shared_nodes(grow) -> None:
    grown = grow.one(BestOfN(BestOfNConfig(attempts=9, attempts_in_flight=2, merge="action")), first=5)
    assert grown.tree.root.visits == 9 == sum(child.copies for child in grown.tree.root.children)
    assert len(grown.journal.commits) == 5


def test_greedy_is_one_attempt_at_temperature_zero(grow) -> None:
    asked: list[SamplingParams] = []

    class Watched(ScriptedPolicy):
        async def sample(self, request):
            assert request.n == 1
            asked.append(request.params)
            return await super().sample(request)

    grown = grow.one(Greedy(GreedyConfig(depth=7)), Watched(), world=Endless)
    assert [node.depth for node in grown.tree.nodes] == list(range(8))
    assert {params.temperature for params in asked} == {0.0}
    again = grow.one(Greedy(GreedyConfig(depth=7)), world=Endless, tree=grown.tree)
    assert again.context.stats.requests == 0


@pytest.mark.parametrize(
    "values",
    [
        {"simulations": 0},
        {"depth": 0},
        {"samples": 0},
        {"c_uct": -0.1},
        {"temperature": -1},
        {"top_p": 0},
        {"max_tokens": 0},
        {"merge": "state"},
        {"leaves_in_flight": 0},
        {"unknown": 1},
    ],
)
def test_settings_out_of_range_are_refused(values) -> None:
    with pytest.raises(ValidationError):
        MCTSConfig(**values)


def test_the_paper_preset_is_section_4_2() -> None:
    assert (
        MCTSConfig(simulations=8, depth=20, samples=4, c_uct=0.25, temperature=1.0, max_tokens=500, merge="response")
        == PAPER
    )
    assert PAPER.sampling() == SamplingParams(temperature=1.0, top_p=1.0, max_tokens=500)


def test_searchers_are_made_by_name() -> None:
    assert create("searcher", "mcts", samples=2).config == MCTSConfig(samples=2)
    assert create("searcher", "best_of_n", attempts=3).simulations == 3
    assert create("searcher", "greedy").simulations == 1


def test_a_truncated_episode_is_a_leaf(grow) -> None:
    class Short(CounterEnvironment):
        def __init__(self) -> None:
            super().__init__(CounterConfig(max_steps=3))

    tree = grow.one(MCTS(MCTSConfig(merge="response")), world=Short, first=9).tree
    assert any(leaf.truncated for leaf in tree.leaves())
    assert all(
        sum(step.action not in (None, "revise") for step in leaf.path()) == 3
        for leaf in tree.leaves()
        if leaf.truncated
    )
