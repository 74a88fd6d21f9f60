from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from agentr_webshop.config import WebShopConfig
from agentr_webshop.demonstrate import searches
from agentr_webshop.env import WebShop
from webshop_shop import goal_of

from agentr_core import Task


@pytest.fixture(scope="module", params=["original", "strict"])
def env(request: pytest.FixtureRequest) -> WebShop:
    return WebShop(WebShopConfig(rules=request.param))


def some(env: WebShop, split: str = "all", step: int = 23) -> Iterator[tuple[Task, tuple[str, ...]]]:
    """Every ``step``-th task, with its plan."""
    for task in env.tasks(split)[::step]:
        plan = env._world.oracle.plan(task.metadata["goal_index"])
        assert plan is not None
        yield task, plan


def test_oracle_brings_the_best_reward_and_each_step_is_one_nearer(env: WebShop) -> None:
    for task, plan in some(env):
        env.reset(task)
        distances, reward = [env.distance()], 0.0
        for action in plan:
            result = env.step(action)
            assert not result.info.get("invalid"), (task.key, action)
            distances.append(env.distance())
            reward = result.reward
        assert reward == task.metadata["max_reward"]
        assert distances == list(range(len(plan), -1, -1))


def test_mean_reward_of_the_oracle_on_the_published_goals(shared: Path) -> None:
    env = WebShop(WebShopConfig(data=str(shared)))
    rewards, best = [], []
    for task, plan in some(env, step=97):
        env.reset(task)
        rewards.append([env.step(action) for action in plan][-1].reward)
        best.append(task.metadata["max_reward"])
    assert rewards == best and min(best) < 1.0


def test_demonstrations_are_of_tasks_that_can_succeed(env: WebShop) -> None:
    for task in env.tasks("all")[:60]:
        assert (env.demonstrate(task) is None) == (task.metadata["max_reward"] < 1.0)


def test_oracle_searches_for_what_the_instruction_says(env: WebShop) -> None:
    assert searches(goal_of("B000SHIRT1", color="washed", size="x [tall]")) == (
        "machine washable shirts washed x tall",
        "machine washable shirts",
        "machine washable",
    )
    plans = list(some(env, "train", 40))
    told = [plan[0][7:-1] in searches(env._world.goals[task.metadata["goal_index"]]) for task, plan in plans]
    assert sum(told) >= 0.9 * len(told)  # the others are found by their title


def test_distance_after_errors(env: WebShop) -> None:
    task = next(task for task, plan in some(env, "train", 1) if len(plan) == 5)
    plan = list(env.demonstrate(task) or ())
    env.reset(task)
    env.step(plan[0])
    env.step(plan[1])
    assert env.distance() == 3
    env.step("click[< prev]")
    assert env.distance() == 4
    env.step("click[back to search]")
    assert env.distance() == 5
    env.step("search[zzzz]")
    assert env.distance() == (5 if env.config.rules == "original" else 6)
    for action in (plan if env.config.rules == "original" else ["click[back to search]", *plan])[:-2]:
        env.step(action)
    env.step(plan[-1])  # bought with an option missing
    assert env.distance() == math.inf
