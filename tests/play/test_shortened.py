"""Observations that are too long: whoever asks for them is shown the same."""

from __future__ import annotations

from functools import partial
from typing import Any

import agentr_core

CAP = 150


def test_search_splices_and_episodes_show_the_same_shortened_texts(empty: Any, settings: Any) -> None:
    """TextCraft's first observation, a list of commands, is far above the cap."""
    limits = {"tasks": 12, "max_turns": 9, "revision_turns": 9, "temperature": 1.0}
    world = {**settings().env[0].options, "max_observation_chars": CAP}
    empty.run(settings(textcraft=world, evaluate=limits), "search", "revise", "evaluate")
    with empty.store() as store:
        run = store.runs.find("last")
        trees = [store.trees.load(row.id) for row in store.trees.select(run.id)]
        seen = [node.observation for tree in trees for node in tree.nodes]
        assert max(map(len, seen)) <= CAP and any("characters left out] ..." in text for text in seen)
        assert all(tree.root.info["left_out"] > 0 and tree.head[-1].content == tree.root.observation for tree in trees)
        (made,) = store.revisions.select(run.id)
        assert made.metrics["mismatches"] == 0 and made.metrics["verified"] > 0
        accounts = store.runs.accounts(run.id)
        spliced = [each for each in store.revisions.samples(made.id) if each.verified is not None]
        turns = [turn for each in spliced for turn in store.conversations.get(each.conversation)]
        shown = sum("characters left out]" in turn.content for turn in turns if turn.role == "user")
        assert accounts[1, "revise"]["shown_in_part"] == made.metrics["shown_in_part"] == shown >= len(spliced) > 0
        assert accounts[1, "search"]["shown_in_part"] == sum("characters left out]" in text for text in seen)
        played = [
            row
            for each in store.evaluations.select(run.id, kind="plain", iteration=0)
            for row in store.evaluations.results(each.id)
        ]
        for row in played:
            texts = [turn.content for turn in store.conversations.get(row.conversation) if turn.role == "user"]
            assert row.shown_in_part == sum("characters left out]" in text for text in texts) > 0
        assert accounts[0, "evaluate"]["shown_in_part"] == sum(row.shown_in_part for row in played)


def test_a_cap_changes_what_is_shown_and_nothing_of_what_happens() -> None:
    make = partial(agentr_core.create, "env", "textcraft", world="synthetic")
    world, capped = make(), make(max_observation_chars=CAP)
    task = world.tasks("train")[0]
    assert len(world.begin(task).observation) > CAP >= len(capped.begin(task).observation)
    for action in world.demonstrate(task):
        result, shown = world.act(action), capped.act(action)
        assert (shown.reward, shown.terminated) == (result.reward, result.terminated)
        assert capped.state_key() == world.state_key()
    assert result.reward == 1.0
