from __future__ import annotations

import pickle
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from agentr_webshop.config import WebShopConfig
from agentr_webshop.env import WebShop
from agentr_webshop.world import load_world
from scripted_runs import command, environment

from agentr_core import ConfigError, UsageError, validate_config
from agentr_core.testing import check_environment


@pytest.fixture(scope="module")
def env() -> WebShop:
    return WebShop(WebShopConfig())


@pytest.mark.parametrize("values", [{"mode": "text_rich"}, {"rules": "strict", "show_attrs": True}, {"goals": "human"}])
def test_contract(values: dict[str, object]) -> None:
    config = WebShopConfig.model_validate({"products": 300, **values})
    check_environment(lambda: WebShop(config), tasks=3)


def test_contract_on_the_original_products(shared: Path) -> None:
    check_environment(lambda: WebShop(WebShopConfig(data=str(shared))), tasks=3)


def test_purchase_ends_the_episode(env: WebShop) -> None:
    task = env.tasks("test")[0]
    env.reset(task)
    results = [env.step(action) for action in env.demonstrate(task) or ()]
    assert [result.terminated for result in results] == [False] * (len(results) - 1) + [True]
    assert (results[-1].reward, results[-1].score, results[-1].truncated) == (1.0, 1.0, False)
    assert results[-1].info["reward"]["r_type"] == 1.0
    assert env.legal_actions() == () and env.clickables() == ()
    with pytest.raises(RuntimeError, match="the episode has ended: call reset first"):
        env.step("search[again]")


def test_cap_truncates_what_is_not_bought() -> None:
    env = WebShop(WebShopConfig(max_steps=2))
    env.reset(env.tasks("train")[0])
    assert not env.step("look").truncated
    result = env.step("search[shirt]")
    assert (result.truncated, result.terminated) == (True, False)
    with pytest.raises(RuntimeError, match="the episode has ended"):
        env.step("search[shirt]")


def test_wrong_use_is_refused() -> None:
    env = WebShop(WebShopConfig())
    calls: list[Callable[[], object]] = [
        lambda: env.step("search[x]"), env.snapshot, env.state_key, env.legal_actions, env.distance, env.clickables,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(RuntimeError, match="there is no episode: call reset first"):
            call()
    env.close()
    env.close()


@pytest.mark.parametrize("rules", ["original", "strict"])
def test_refused_actions_show_the_page_again(rules: str) -> None:
    env = WebShop(WebShopConfig(rules=rules))
    first = env.reset(env.tasks("train")[0])
    result = env.step("think[hm]")
    said = "'think' is not an action. Write search[words] or click[text on the page].\n\n" if rules == "strict" else ""
    assert result.observation == said + first and result.info == {"invalid": True}


def test_legal_actions_are_accepted_everywhere(env: WebShop) -> None:
    rng = random.Random(0)
    for task in env.tasks("train")[:20]:
        env.reset(task)
        assert all(action.startswith("search[") for action in env.legal_actions())
        for _ in range(12):
            start = env.snapshot()
            actions = list(env.legal_actions())
            assert actions and "click[search]" not in actions
            for action in actions:
                env.restore(start)
                assert not env.step(action).info.get("invalid"), action
            env.restore(start)
            if env.step(rng.choice(actions)).terminated:
                break


def test_snapshots_travel(env: WebShop) -> None:
    env.reset(env.tasks("train")[0])
    env.step("search[shirt]")
    kept, key, page = env.snapshot(), env.state_key(), env.clickables()
    env.step("click[next >]")
    other = WebShop(WebShopConfig())
    other.restore(pickle.loads(pickle.dumps(kept)))
    assert (other.snapshot(), other.state_key(), other.clickables()) == (kept, key, page)
    assert len(pickle.dumps(kept)) < 500 and env.state_key() != key


def test_coming_back_is_the_same_state(env: WebShop) -> None:
    task = env.tasks("train")[0]
    env.reset(task)
    start = env.state_key()
    env.step("search[shirt]")
    results = env.state_key()
    env.step("click[next >]")
    env.step("click[< prev]")
    assert env.state_key() == results
    env.step("click[back to search]")
    assert env.state_key() == start
    env.reset(env.tasks("train")[1])
    assert env.state_key() != start


def test_instructions_name_actions_and_format(env: WebShop) -> None:
    task = env.tasks("train")[0]
    for text in (env.instructions(task), WebShop(WebShopConfig(rules="strict")).instructions(task)):
        for part in ("search[words]", "click[text]", "buy now", "Thought: ...\nAction: ..."):
            assert part in text
    assert env.domain_of(task) == "an online shop"


def test_versions_tell_worlds_apart() -> None:
    configs = [{}, {"rules": "strict"}, {"mode": "text_rich"}, {"goals": "human"}, {"price_seed": 0}, {"goal_seed": 1},
               {"show_attrs": True}, {"max_steps": 3}, {"products": 300}, {"products": 300, "seed": 1}]  # fmt: skip
    versions = {WebShop(WebShopConfig.model_validate(values)).version for values in configs}
    assert len(versions) == len(configs)


def test_version_says_where_nouns_come_from(env: WebShop, shared: Path) -> None:
    assert "/nouns=table/" in WebShop(WebShopConfig(data=str(shared))).version
    assert "/nouns=" in env.version


def test_sessions_share_one_world(env: WebShop) -> None:
    assert WebShop(WebShopConfig(max_steps=7))._world is env._world is load_world(WebShopConfig())


def test_global_random_is_left_alone() -> None:
    state = random.getstate()
    env = WebShop(WebShopConfig(products=50, seed=7))
    env.reset(env.tasks("all")[0])
    assert random.getstate() == state


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rules": "loose"}, "env.rules: should be 'original' or 'strict'"),
        ({"mode": "html"}, "env.mode: should be 'text' or 'text_rich'"),
        ({"products": 0}, "env.products: must be at least 1"),
        ({"human_goals": True}, "env.human_goals: there is no such setting"),
    ],
)
def test_bad_settings(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate_config(WebShopConfig, values, "env.")
    assert all(field.description for field in WebShopConfig.model_fields.values())


def test_catalogue_without_goals(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no human goals.*choose goals=synthetic or other data"):
        WebShop(WebShopConfig(products=1, goals="human"))


_PRINT_ALL = """
import hashlib
from agentr_webshop.env import WebShop
from agentr_webshop.config import WebShopConfig
digest = hashlib.sha256()
for mode in ("text", "text_rich"):
    env = WebShop(WebShopConfig(products=60, mode=mode))
    digest.update(env.version.encode())
    for split in env.splits():
        digest.update(repr(env.tasks(split)).encode())
    for task in env.tasks("train")[:20]:
        digest.update(repr((env.reset(task), env.legal_actions(), env.distance())).encode())
        for action in env.demonstrate(task):
            digest.update(repr((action, env.step(action), env.state_key(), env.clickables())).encode())
print(digest.hexdigest())
"""


def test_same_bytes_in_every_process() -> None:
    runs = [
        subprocess.run(
            [command()[0], "-c", _PRINT_ALL],
            env=environment(PYTHONHASHSEED=seed), capture_output=True, text=True, check=True,
        )
        for seed in ("0", "1")
    ]  # fmt: skip
    assert len({run.stdout for run in runs}) == 1 and len(runs[0].stdout.strip()) == 64
