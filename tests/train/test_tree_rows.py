"""What a tree gives to train on, against numbers worked out on paper."""

from __future__ import annotations

from typing import Any

import pytest
from hand_made_trees import HEAD, three_actions

from agentr_core import Completion, Message
from agentr_core.train.tree_rows import action_rows, step_pairs, trajectory_pairs, value_rows


def test_the_actions_of_a_tree_with_their_advantages_and_weights() -> None:
    rows = {row.drawn.text.rpartition(" ")[2]: row for row in action_rows(three_actions(), 7) if row.reach == 1.0}
    assert list(rows) == ["get", "jump", "look"], "wait was never followed: it did not fail"
    # b = (2 · 0.75 + 1 · 0 + 1 · 0.5) / 4, by copies of what was evaluated; V(root) = 3.5 / 6.
    for name, q, share in (("get", 0.75, 0.5), ("jump", 0.0, 0.25), ("look", 0.5, 0.25)):
        row = rows[name]
        assert (row.q, row.baseline, row.share) == (q, 0.5, share)
        assert row.root == pytest.approx(3.5 / 6)
        assert row.advantage() == pytest.approx((q - 0.5) + 0.5 * (q - 3.5 / 6))
        assert row.advantage(0.0) == pytest.approx(q - 0.5)
        assert row.weight == share and row.prompt == HEAD
    assert sum(row.weight * row.advantage(0.0) for row in rows.values()) == pytest.approx(0.0)


def test_a_state_is_reached_as_often_as_its_actions_were_drawn() -> None:
    deep = {row.drawn.text: row for row in action_rows(three_actions(), 7) if row.reach < 1.0}
    rows = [row for row in action_rows(three_actions(), 7) if row.reach < 1.0]
    # get: 2 of the 4 draws at the start that were followed; craft below it 3 of 4.
    assert [(row.reach, row.share, row.baseline) for row in rows] == [
        (0.5, 0.75, 0.75),
        (0.5, 0.25, 0.75),
        (0.25, 1.0, 0.5),
    ]
    assert rows[0].weight == pytest.approx(0.375) and len(deep) == 2
    assert rows[0].prompt[-1] == Message("user", "You get.")
    assert [row.origin["node"] for row in rows] == [5, 6, 7] and {row.origin["tree"] for row in rows} == {7}


def test_a_late_step_weighs_no_less_because_others_were_drawn_and_not_followed() -> None:
    """A walk that follows one of two at each step is one attempt of the policy: each of its steps counts once."""
    tree = three_actions()
    at = tree.root
    for depth in range(1, 9):
        last = depth == 8
        numbers: dict[str, Any] = {"visits": 1, "value_sum": 1.0, "terminal": last, "reward": 1.0 if last else 0.0}
        tree.add(at, response=f"Action: other {depth}", action="other", observation="")
        at = tree.add(at, response=f"Action: step {depth}", action="step", observation="", **numbers)
    rows = list(action_rows(tree, 7))
    walked = [row for row in rows if "step" in row.drawn.text]
    assert [row.weight for row in walked] == [0.2] * 8, "one of five draws that were followed at the start"
    sums = [sum(row.weight for row in rows if len(row.prompt) == len(HEAD) + behind) for behind in (0, 2)]
    assert sums == pytest.approx([1.0, 0.8]), "jump, a fifth, has nothing behind it"


def test_what_was_drawn_otherwise_is_no_draw_of_the_policy() -> None:
    """At a higher temperature, or with a note in the prompt: stored log-probabilities are not those of the draw."""
    for kept, known, reference in (
        ({"note": "Note: …"}, False, None),
        ({"temperature": 1.5}, False, True),
        ({}, True, True),
    ):
        tree = three_actions()
        node = tree.nodes[1]
        node.info = {"search": kept}
        node.completion = Completion(text=node.response, token_ids=(1, 2), logprobs=(-0.1, -0.2))
        row = next(row for row in action_rows(tree, 7) if row.origin["node"] == 1)
        assert bool(row.drawn.token_ids) is known and row.drawn.text == node.completion.text
        pair = next(pair for pair in step_pairs(tree, 7) if pair.origin["chosen"] == 1)
        assert pair.chosen_drawn == ((node.completion,) if reference else (None,))


def test_nothing_was_better_where_all_attempts_came_to_the_same() -> None:
    tree = three_actions()
    for node in tree.nodes:
        node.reward, node.value_sum = (1.0 if node.terminal else 0.0), float(node.visits)
    assert list(action_rows(tree, 1)) == [] and list(step_pairs(tree, 1)) == []
    assert len(list(value_rows(tree, 1))) == 7


def test_step_pairs_are_of_siblings_by_their_q() -> None:
    pairs = list(step_pairs(three_actions(), 7))
    said = [(pair.chosen[0].content, pair.rejected[0].content) for pair in pairs]
    names = [(good.rpartition(" ")[2], bad.rpartition(" ")[2]) for good, bad in said]
    assert names == [("get", "jump"), ("get", "look"), ("craft", "drop")]
    assert [(pair.gap, pair.visits) for pair in pairs] == [(0.75, 4), (0.25, 1), (1.0, None)]
    for pair in pairs:
        assert [turn.train for turn in (*pair.chosen, *pair.rejected)] == [True, True]
        assert len(pair.chosen_drawn) == len(pair.rejected_drawn) == 1
    assert pairs[0].origin == {"task": "chest", "tree": 7, "node": 0, "chosen": 1, "rejected": 2}


def test_siblings_that_do_the_same_are_no_pair() -> None:
    tree = three_actions()
    tree.nodes[2].action = "get"
    assert [pair.origin["rejected"] for pair in step_pairs(tree, 1)] == [3, 6]


def test_of_a_trajectory_all_turns_of_the_agent_count_and_no_observation() -> None:
    (pair,) = trajectory_pairs(three_actions(), 7, [(0, 5, 7)])
    assert pair.prompt == HEAD and pair.gap == 0.5
    assert [(turn.role, turn.train) for turn in pair.chosen] == [
        ("assistant", True),
        ("user", False),
        ("assistant", True),
    ]
    assert [said.text for said in pair.chosen_drawn if said] == [turn.content for turn in pair.chosen if turn.train]


def test_a_turn_that_was_cut_off_never_counts() -> None:
    tree = three_actions()
    for index in (2, 6):
        said = tree.nodes[index].completion
        assert said is not None
        tree.nodes[index].completion = said.model_copy(update={"finish_reason": "length"})
    assert [pair.origin["rejected"] for pair in step_pairs(tree, 1)] == [3]
    (pair,) = trajectory_pairs(tree, 7, [(0, 6, 7)])
    assert [turn.train for turn in pair.chosen] == [True, False, False] and len(pair.chosen_drawn) == 1


def test_values_are_of_states_with_what_they_came_from() -> None:
    rows = list(value_rows(three_actions(), 7))
    assert [(row.origin["node"], row.visits, row.ended) for row in rows] == [
        (0, 6, False), (1, 4, False), (2, 1, True), (3, 1, False), (5, 1, True), (6, 1, True), (7, 1, True),
    ]  # fmt: skip
    assert rows[1].before == pytest.approx(3.5 / 6) and rows[0].before is None
    assert rows[1].messages[-1].content == "You get." and rows[1].task == "chest"
