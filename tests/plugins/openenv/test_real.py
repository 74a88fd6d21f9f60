"""The client against servers of the package ``openenv`` itself."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from agentr_openenv.env import OpenEnv
from serving import Served

from agentr_core import UsageError, create
from agentr_core.testing import EnvironmentContract

Start = Callable[[str], str]


def client(url: str, **options: Any) -> OpenEnv:
    made: OpenEnv = create("env", "openenv", url=url, wait=0.0, timeout=60.0, **options)
    return made


def test_the_contract_holds(real: Start) -> None:
    url = real("seeded")
    EnvironmentContract(lambda: client(url, tasks=4), tasks=1).verify()


def test_an_action_with_one_text_is_that_text(real: Start) -> None:
    env = client(real("seeded"))
    task = env.tasks("train")[2]
    assert (env.reset(task), "'message'" in env.instructions(task)) == ("begin at 2", True)
    results = [env.step(action) for action in ("add 1", "dance", "add 4")]
    assert [result.observation for result in results] == ["it is 3", "nothing happens", "it is 7"]
    assert [(result.reward, result.terminated) for result in results] == [(0.0, False), (0.0, False), (1.0, True)]
    env.close()


def test_other_actions_are_json(real: Start) -> None:
    env = client(real("fields"))
    task = env.tasks("train")[1]
    env.reset(task)
    assert '"amount" (integer)' in env.instructions(task)
    assert env.step("add 1").info == {"invalid": True}
    assert "no 'why'" in env.step('{"amount": 2}').observation
    assert env.step('{"amount": 2, "why": "so"}').observation == "it is 3"
    env.close()


@pytest.mark.parametrize(("kind", "said"), [("deaf", "same observation"), ("chance", "otherwise each time")])
def test_what_a_reset_drops_silently_is_found_out(real: Start, kind: str, said: str) -> None:
    env = client(real(kind))
    with pytest.raises(UsageError, match=said) as failed:
        env.reset(env.tasks("train")[0])
    assert "'seed'" in str(failed.value)
    env.close()


def test_tasks_of_the_task_api(real: Start) -> None:
    env = client(real("tasks"))
    if env.catalogue.seeded:
        pytest.skip("this version of openenv has no task API")
    assert list(env.splits()) == ["train", "test"]
    tasks = env.tasks("train")
    assert [task.instruction for task in tasks] == ["count from 0", "count from 1", "count from 2"]
    assert env.reset(env.tasks("test")[0]) == "begin at 4"
    assert env.reset(env.task(tasks[1].key)) == "begin at 1"
    env.close()


PLAY = """
import asyncio, sys
from openenv.core import GenericEnvClient

async def play(url):
    async with GenericEnvClient(base_url=url) as env:
        print((await env.reset(split="test", index=1)).observation["task"])
        print((await env.step({"text": "inventory"})).observation["text"])

asyncio.run(play(sys.argv[1]))
"""


def test_openenvs_own_client_plays_at_ours(python: str) -> None:
    with Served("textcraft", protocol="openenv", world="synthetic") as served:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(
            [python, "-c", PLAY, served.url], env=clean, capture_output=True, text=True, check=True, timeout=120
        )
        expected = create("env", "textcraft", world="synthetic").tasks("test")[1].key
        assert done.stdout.splitlines() == [expected, "Inventory: You are not carrying anything."]
