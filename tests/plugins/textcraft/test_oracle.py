from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft


@pytest.mark.parametrize("rules", ["agentgym", "strict"])
def test_oracle_wins_every_goal_and_each_step_brings_it_nearer(rules: str) -> None:
    env = TextCraft(TextCraftConfig(rules=rules, max_steps=0))  # type: ignore[arg-type]
    wins = 0
    for task in (task for split in ("train", "valid", "test") for task in env.tasks(split)):
        env.reset(task)
        plan = env.demonstrate(task)
        assert plan is not None
        distances = [env.distance()]
        for action in plan:
            result = env.step(action)
            assert not result.info
            distances.append(env.distance())
        assert distances == list(range(len(plan), -1, -1))
        wins += result.reward == 1.0 and result.terminated
    assert wins == 544


def test_plans_are_short(env: TextCraft) -> None:
    plans = {
        "oak planks": 2,
        "stick": 2,  # of bamboo, which is fetched
        "oak door": 4,
        "crafting table": 3,
    }
    assert {goal: len(env.demonstrate(env.task_for(goal)) or ()) for goal in plans} == plans
    lengths = [len(env.demonstrate(task) or ()) for split in ("train", "valid", "test") for task in env.tasks(split)]
    assert sum(length > 40 for length in lengths) == 1


def test_plan_uses_what_is_carried(env: TextCraft) -> None:
    env.reset(env.task_for("crafting table"))
    for action in ("get 1 warped stems", "craft 4 warped planks using 1 warped stems"):
        env.step(action)
    assert env.distance() == 1
    assert env.step("craft 1 crafting table using 4 warped planks").reward == 1.0


def test_distance_after_detours(env: TextCraft) -> None:
    """From wherever a random walk leads, the plan is as long as the distance says, wins, and no step saves two."""
    rng = Random(0)
    tasks = [task for split in ("train", "valid", "test") for task in env.tasks(split)]
    for _ in range(300):
        task = rng.choice(tasks)
        env.reset(task)
        before = env.distance()
        assert before is not None
        ended = False
        for _ in range(rng.randrange(12)):
            ended = env.step(rng.choice(env.legal_actions())).terminated
            after = env.distance()
            assert after is not None and after >= before - 1
            before = after
            if ended:
                break
        plan = env._world.planner.plan(env._goal or "", env._inventory) or ()
        assert len(plan) == before
        for action in plan:
            ended = env.step(action).terminated
        assert ended and env.distance() == 0


def test_useless_actions_do_not_bring_the_goal_nearer(env: TextCraft) -> None:
    env.reset(env.task_for("oak door"))
    start = env.distance()
    for action in ("inventory", "get 5 dirt", "look", "get 0 oak logs"):
        env.step(action)
        assert env.distance() == start


def test_recipe_that_needs_its_own_product(tmp_path: Path) -> None:
    """A generic ingredient may close a circle; the oracle goes round it."""
    (tmp_path / "a.json").write_text(
        '{"type":"crafting_shapeless","group":"kind","ingredients":[{"tag":"kind"}],"result":"first"}'
    )
    (tmp_path / "b.json").write_text(
        '{"type":"crafting_shapeless","group":"kind","ingredients":[{"item":"raw"}],"result":"second"}'
    )
    env = TextCraft(TextCraftConfig(world=str(tmp_path)))
    plan = env.demonstrate(env.task_for("first"))
    assert plan == ("get 1 raw", "craft 1 second using 1 raw", "craft 1 first using 1 second")
