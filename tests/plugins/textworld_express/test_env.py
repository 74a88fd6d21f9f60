"""The games as environments, on the real jar."""

from __future__ import annotations

import math
from typing import Any

import pytest

from agentr_core import ConfigError, UsageError, create
from agentr_core.testing import check_environment

GAMES = ("cookingworld", "twc", "coin", "mapreader", "arithmetic", "sorting", "simonsays", "peckingorder")


@pytest.mark.slow
def test_every_game_keeps_every_rule(make: Any) -> None:
    check_environment(lambda: make(), tasks=len(GAMES))


@pytest.mark.parametrize("game", ["mapreader", "arithmetic", "sorting", "simonsays", "peckingorder"])
def test_a_demonstration_comes_to_distance_0_step_by_step(make: Any, game: str) -> None:
    env = make()
    task = env.task(f"{game}_10007")
    actions = env.demonstrate(task)
    env.reset(task)
    far = [env.distance()]
    for action in actions:
        result = env.step(action)
        far.append(env.distance())
    assert far == [float(left) for left in range(len(actions), -1, -1)]
    assert (result.reward, result.score, result.terminated) == (1.0, 1.0, True)


@pytest.mark.parametrize("game", GAMES)
def test_two_games_of_one_seed_do_not_touch_each_other(make: Any, game: str) -> None:
    """Nor does a third that is played from start to end between their steps."""
    one, other, between = make(), make(), make()
    task = one.task(f"{game}_7")
    actions = one.demonstrate(task)[-12:]
    alone = [one.reset(task), *(one.step(action) for action in actions)]
    seen = [[each.reset(task)] for each in (one, other)]
    for number, action in enumerate(actions):
        if number == 1:
            between.reset(task)
            assert [between.step(each) for each in actions] == alone[1:]
        for each, shown in zip((one, other), seen, strict=True):
            shown.append(each.step(action))
    assert seen == [alone, alone] and one.mismatches == other.mismatches == 0


def test_a_demonstration_once_found_is_the_one_that_stands(make: Any) -> None:
    """The plan for ``coin`` is another one each time."""
    env = make()
    task = env.task("coin_10003")
    assert env.demonstrate(task) == make().demonstrate(task)


def test_folds_are_the_splits(make: Any) -> None:
    env = make(game="coin,twc")
    assert [len(env.tasks(split)) for split in ("train", "dev", "test")] == [2000, 2000, 2000]
    assert [task.key for task in env.tasks("test")[:3]] == ["coin_20000", "twc_20000", "coin_20001"]
    with pytest.raises(UsageError, match="has no task 'coin_1000'; a key is a game and a seed"):
        env.task("coin_1000")
    with pytest.raises(UsageError, match="no split 'valid'; there are: train, dev, test"):
        env.tasks("valid")


def test_a_wrong_turn_is_further_from_the_goal_and_a_failure_infinitely_far(make: Any) -> None:
    env = make()
    task = env.task("mapreader_0")
    right = env.demonstrate(task)
    env.reset(task)
    moved = next(number for number, action in enumerate(right) if action.startswith("move"))
    for action in right[: moved + 1]:
        env.step(action)
    before = env.distance()
    back = {"north": "south", "south": "north", "east": "west", "west": "east"}[right[moved].split()[-1]]
    env.step(f"move {back}")
    assert env.distance() == before + 1
    env.reset(env.task("peckingorder_0"))
    wrong = next(action for action in env.legal_actions() if action.startswith("take") and action != "take papaya")
    result = env.step(wrong)
    assert (result.reward, result.score, result.terminated) == (0.0, -1.0, True) and result.info == {"failed": True}
    assert env.distance() == math.inf and env.legal_actions() == []


def test_parameters_reach_the_games_that_have_them(make: Any) -> None:
    few, many = make(game="coin,sorting", params={"numLocations": 2}), make(game="coin")
    assert few.config.params_of("coin") == "numLocations=2" and few.config.params_of("sorting") == ""
    assert few.version != many.version and few.reset(few.task("coin_3")) != many.reset(many.task("coin_3"))
    with pytest.raises(ConfigError, match="coin take no parameter 'rooms'; there are: includeDoors"):
        create("env", "textworld_express", game="coin", params={"rooms": 3})
    with pytest.raises(ConfigError, match="no game 'cooking'; did you mean 'cookingworld'"):
        create("env", "textworld_express", game="cooking")
    wrong = make(game="coin", params={"numLocations": 500})
    with pytest.raises(UsageError, match="coin says: Number of locations must be less than or equal to 11"):
        wrong.reset(wrong.task("coin_0"))


def test_valid_actions_can_be_shown(make: Any) -> None:
    env = make(show_actions=True)
    shown = env.reset(env.task("simonsays_0"))
    assert shown.endswith("Valid actions: " + ", ".join(env.legal_actions()))
