"""Whole trees: the golden one, what must hold of any, and that timing changes none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from agentr_mcts.config import MCTSConfig
from agentr_mcts.search import MCTS
from agentr_sampling.beam import Beam
from agentr_sampling.branch import Branch
from agentr_sampling.config import BeamConfig, BestOfNConfig, BranchConfig, GreedyConfig, ReflectConfig
from agentr_sampling.reflect import Reflect
from agentr_sampling.search import BestOfN, Greedy

from agentr_core.interfaces.tree import Tree
from agentr_core.testing.fakes import (
    BlockingCounterEnvironment,
    CounterEnvironment,
    ReplayCounterEnvironment,
    ScriptedPolicy,
)
from agentr_core.testing.golden import tree_as_json, tree_from_json

GOLDEN = Path(__file__).parent / "golden"
SEARCHERS = {
    "mcts": MCTS(MCTSConfig()),
    "mcts_paper": MCTS(MCTSConfig(**MCTSConfig.PRESETS["paper"])),
    "mcts_in_flight": MCTS(MCTSConfig(leaves_in_flight=3)),
    "mcts_puct": MCTS(MCTSConfig(selection="puct", leaves_in_flight=2, again=1, again_temperature=1.5)),
    "mcts_gumbel": MCTS(MCTSConfig(selection="gumbel", leaves_in_flight=2)),
    "best_of_n": BestOfN(BestOfNConfig(attempts=8, attempts_in_flight=3)),
    "greedy": Greedy(GreedyConfig()),
    "branch": Branch(BranchConfig()),
    "branch_spread": Branch(BranchConfig(choose="spread", nodes=3, rounds=3)),
    "beam": Beam(BeamConfig(again=2)),
    "reflect": Reflect(ReflectConfig()),
}
WORLDS = (CounterEnvironment, ReplayCounterEnvironment, BlockingCounterEnvironment)


@pytest.mark.parametrize("name", SEARCHERS)
def test_tree_equals_the_committed_one(grow, name: str) -> None:
    """Made again, after a change that was meant, with AGENTR_UPDATE_GOLDEN=1; read the difference before it goes in."""
    tree = grow.one(SEARCHERS[name], first=5).json
    file = GOLDEN / f"{name}.json"
    if os.environ.get("AGENTR_UPDATE_GOLDEN"):
        file.parent.mkdir(exist_ok=True)
        lines = ",\n".join(json.dumps(node, sort_keys=True) for node in tree["nodes"])
        top = json.dumps({**tree, "nodes": []}, sort_keys=True, indent=1)
        file.write_text(top.replace('"nodes": []', f'"nodes": [\n{lines}\n]') + "\n", encoding="utf-8")
    golden = json.loads(file.read_text(encoding="utf-8"))
    assert tree["simulations"] == golden["simulations"] > 0
    for node, expected in zip(tree["nodes"], golden["nodes"], strict=True):
        assert json.loads(json.dumps(node)) == expected


def explained(tree: Tree) -> None:
    """Visits and sums of a parent are those of its children; a terminal node was backed up once a sample."""
    for node in tree.nodes:
        if node.terminal:
            assert not node.children
            assert node.value_sum == pytest.approx(node.visits * node.reward)
        elif node.children:
            assert node.visits == sum(child.visits for child in node.children)
            assert node.value_sum == pytest.approx(sum(child.value_sum for child in node.children))
            assert [child.parent for child in node.children] == [node] * len(node.children)


@pytest.mark.parametrize("name", [name for name in SEARCHERS if name.startswith("mcts")])
def test_every_finished_attempt_is_backed_up_once(grow, name: str) -> None:
    for grown in grow.many(SEARCHERS[name], trees=12):
        explained(grown.tree)
        leaves = grown.tree.leaves()
        assert {leaf.visits for leaf in leaves} == {1}
        assert grown.tree.root.visits == len(leaves)


@pytest.mark.parametrize("name", ["best_of_n", "greedy"])
def test_every_attempt_of_best_of_n_is_backed_up_once(grow, name: str) -> None:
    attempts = SEARCHERS[name].simulations
    for grown in grow.many(SEARCHERS[name], trees=12):
        explained(grown.tree)
        assert grown.tree.root.visits == attempts == grown.tree.simulations
        assert all(leaf.visits == leaf.copies for leaf in grown.tree.leaves())


@pytest.mark.parametrize("name", SEARCHERS)
def test_nothing_in_flight_and_no_kind_of_branching_changes_a_tree(grow, name: str) -> None:
    alone = [grown.json for grown in grow.many(SEARCHERS[name], trees=4)]
    for world in WORLDS:
        for concurrency in (1, 3):
            policy = ScriptedPolicy(jitter=9)
            beside = grow.many(SEARCHERS[name], policy, world=world, trees=4, concurrency=concurrency)
            assert [grown.json for grown in beside] == alone, (world.__name__, concurrency)
            assert sum(grown.context.branches.stats.mismatches for grown in beside) == 0


@pytest.mark.parametrize("world", [CounterEnvironment, ReplayCounterEnvironment])
@pytest.mark.parametrize("name", SEARCHERS)
def test_a_resumed_tree_is_the_tree_that_would_have_been(grow, name: str, world) -> None:
    whole = grow.one(SEARCHERS[name], world=world)
    assert whole.journal.states[-1] == whole.json
    for state in whole.journal.states:
        cut = tree_from_json(json.loads(json.dumps(state)))
        assert tree_as_json(cut) == state
        resumed = grow.one(SEARCHERS[name], world=world, tree=cut)
        assert resumed.json == whole.json
        done = len(whole.journal.states) - len(resumed.journal.states)
        assert resumed.journal.commits == whole.journal.commits[done:]


def test_commits_bring_each_node_once_and_every_changed_value(grow) -> None:
    grown = grow.one(SEARCHERS["mcts"])
    assert [index for new, _ in grown.journal.commits for index in new] == list(range(len(grown.tree.nodes)))
    assert len(grown.journal.commits) == 8
    known: dict[int, dict] = {}
    for (new, touched), state in zip(grown.journal.commits, grown.journal.states, strict=True):
        known |= {index: state["nodes"][index] for index in (*new, *touched)}
        assert list(known.values()) == state["nodes"]


def test_different_seeds_give_different_trees(grow) -> None:
    one, other = (grow.one(SEARCHERS["mcts"], seed=seed).json for seed in (1, 2))
    assert one["nodes"] != other["nodes"]
