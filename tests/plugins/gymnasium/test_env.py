"""Environments of Gymnasium as agentr's: words, seeds, rewards, and coming back to states."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest

from agentr_core import ConfigError, MissingDependencyError, PluginError, UsageError, create
from agentr_core.testing import check_environment


@pytest.mark.parametrize("name", ["Corridor", "Locked", "Board"])
def test_every_rule_is_kept(make: Any, name: str) -> None:
    check_environment(lambda: make(f"test/{name}-v0"))


def test_gymnasiums_own_worlds_keep_every_rule(make: Any) -> None:
    check_environment(lambda: make("FrozenLake-v1", actions="left,down,right,up"))
    check_environment(lambda: make("CartPole-v1", reward_range="0,500", actions="left,right"), tasks=2)


@pytest.mark.parametrize(("name", "copies"), [("Corridor", True), ("Locked", False), ("Shared", False)])
def test_deep_copies_are_used_where_a_trial_shows_that_they_are_exact(make: Any, name: str, copies: bool) -> None:
    env = make(f"test/{name}-v0")
    env.reset(env.task("seed_3"))
    env.step("right")
    kept = env.snapshot()
    assert (kept.copy is not None) == copies == env._trial.copies
    rest = [env.step("left"), env.step("right")]
    for other in (env, make(f"test/{name}-v0")):
        other.reset(other.task("seed_4"))  # other steps in between
        other.step("right")
        other.restore(kept)
        assert [other.step("left"), other.step("right")] == rest and other.mismatches == 0


def test_state_copy_says_why_it_cannot(make: Any) -> None:
    env = make("test/Shared-v0", state="copy")
    with pytest.raises(PluginError, match="cannot be copied: an episode goes on differently after a copy was put back"):
        env.reset(env.task("seed_0"))
    env = make("test/Locked-v0", state="copy")
    with pytest.raises(PluginError, match=r"cannot be copied: TypeError: cannot pickle '_thread.lock' object; use"):
        env.reset(env.task("seed_0"))
    assert make("test/Corridor-v0", state="replay")._trial.copies is False


def test_a_world_that_is_not_the_same_again_is_said_to_be(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="agentr.gymnasium"):
        assert make("test/Moody-v0").version.endswith("/inexact")
    assert "shows something else when the same actions are played again" in caplog.text
    assert make("test/Corridor-v0").version.endswith("/exact")


def test_global_random_generators_are_left_alone(make: Any) -> None:
    import numpy as np

    random.seed(11)
    np.random.seed(11)
    expected = (random.Random(11).random(), np.random.RandomState(11).random_sample())
    one, other = make("test/Corridor-v0"), make("test/Corridor-v0")
    alone = [one.reset(one.task("seed_1")), *(one.step("right").observation for _ in range(3))]
    shown: list[list[str]] = [[], []]
    for env, seen in zip((one, other), shown, strict=True):
        seen.append(env.reset(env.task("seed_1")))
    for _ in range(3):
        for env, seen in zip((one, other), shown, strict=True):
            seen.append(env.step("right").observation)
            env.restore(env.snapshot())
    assert shown == [alone, alone]
    assert (random.random(), np.random.random()) == expected


def test_spaces_in_words(make: Any) -> None:
    env = make("test/Board-v0")
    task = env.task("seed_0")
    assert env.reset(task) == "words: two switches\nboard: 0 0\n0 0"
    assert env.step("5 5").info == {"invalid": True} and env.step("[0, 1]").observation.startswith(
        "words: array([0, 1]"
    )
    assert env.step("1 2").terminated
    named = make("test/Board-v0", kwargs='{"actions": "named"}', actions="off,on")
    named.reset(task)
    assert named.legal_actions() == ["off"]  # the mask of the reset
    assert named.step("ON").observation.startswith("words: np.int64(6)")
    assert named.step("5").observation.startswith("words: np.int64(5)")
    assert named.step("7").observation == "There is no action '7'. These are the actions: off, on."
    assert "These are the actions: off, on." in named.instructions(task)
    of_dicts = make("test/Board-v0", kwargs={"actions": "dict"})
    of_dicts.reset(task)
    assert of_dicts.step('{"say": "hi", "how": 4}').info == {"invalid": True}
    assert of_dicts.step('{"say": "hi", "how": 2}').terminated
    own = make("test/Board-v0", observation="gym_worlds:louder", action="gym_worlds:yes")
    assert own.reset(task) == "TWO SWITCHES" and own.step("no").observation == "Say yes."
    assert own.step("yes").terminated


def test_the_score_is_the_sum_of_rewards_and_the_reward_where_it_lies_in_the_range(make: Any) -> None:
    env = make("test/Board-v0", reward_range="-2,3")
    env.reset(env.task("seed_0"))
    assert [(result.score, result.reward) for result in (env.step("0 0"), env.step("1 2"))] == [(-1.0, 0.2), (4.0, 1.0)]
    assert env.distance() == 0.0


def test_seeds_are_tasks(make: Any) -> None:
    env = make("test/Corridor-v0", splits={"train": "0-9", "held": [50, 59]})
    assert env.splits() == ("train", "held") and env.tasks("held")[0].key == "seed_50"
    assert env.task("seed_7").split == "train" and env.task("seed_700").split == "other"
    with pytest.raises(ConfigError, match="'train' must be a first and a last seed"):
        make("test/Corridor-v0", splits={"train": [5, 2]})


def test_what_is_wrong_is_said_in_one_sentence(make: Any) -> None:
    def begin(id: str, **options: Any) -> None:
        env = make(id, **options)
        env.reset(env.task("seed_0"))

    with pytest.raises(UsageError, match=r"no environment 'NoSuch-v0' .* -o gymnasium.modules=MODULE"):
        begin("NoSuch-v0")
    with pytest.raises(ConfigError, match=r"gymnasium.modules: 'nowhere' cannot be imported"):
        env = create("env", "gymnasium", id="FrozenLake-v1", modules="nowhere")
        env.reset(env.task("seed_0"))
    with pytest.raises(PluginError, match=r"'test/Board-v0' cannot be made with .*unexpected keyword argument 'size'"):
        begin("test/Board-v0", kwargs={"size": 3})
    with pytest.raises(ConfigError, match="there are 4 actions, and 2 names"):
        begin("FrozenLake-v1", actions="a,b")
    with pytest.raises(UsageError, match=r"there is no game file at 'nothing'; make some, e.g.: tw-make"):
        make("textworld/nothing")
    with pytest.raises(ConfigError, match="must be JSON"):
        make("FrozenLake-v1", kwargs="{size")


def test_a_missing_package_is_its_pip_line(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "textarena" else found(name))
    env = make("textarena/FrozenLake-v0")
    with pytest.raises(MissingDependencyError, match="pip install textarena"):
        env.reset(env.task("seed_0"))
