"""The client of OpenEnv against ``agentr serve --protocol openenv``, and that server under other hands."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from agentr_openenv.actions import read_schema
from agentr_openenv.env import OpenEnv
from serving import Served
from websockets.sync.client import connect

from agentr_core import EnvironmentFailure, UsageError, create
from agentr_core.testing import EnvironmentContract


def client(url: str, **options: Any) -> OpenEnv:
    made: OpenEnv = create("env", "openenv", url=url, wait=0.0, timeout=30.0, **options)
    return made


def page(port: int, path: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET" if body is None else "POST", path, None if body is None else json.dumps(body))
    response = connection.getresponse()
    found = response.status, json.loads(response.read())
    connection.close()
    return found


def test_the_contract_holds() -> None:
    with Served("textcraft", protocol="openenv", world="synthetic", depth=2) as served:
        EnvironmentContract(lambda: client(served.url), tasks=1).verify()


def test_a_session_ends_with_its_connection() -> None:
    with Served("textcraft", protocol="openenv", world="synthetic") as served:
        env = client(served.url)
        env.reset(env.tasks("train")[0])
        assert len(served.sessions) == 1
        env.close()
        env.close()
        assert served.sessions.counts.created == 1


def test_a_server_that_was_started_again() -> None:
    with Served("textcraft", protocol="openenv", world="synthetic") as served:
        env = client(served.url)
        env.reset(env.tasks("train")[0])
        env.step("get 1 moonlight")
        served.stop()
        with Served("textcraft", protocol="openenv", port=served.port, world="synthetic"):
            assert env.step("inventory").observation.startswith("Inventory")
            assert env.mismatches == 0
        env.close()


def test_a_server_that_is_away_is_a_passing_failure() -> None:
    with Served("textcraft", protocol="openenv", world="synthetic") as served:
        env = client(served.url, retries=1)
        task = env.tasks("train")[0]
        env.reset(task)
        served.stop()
        with pytest.raises(EnvironmentFailure, match="is the server running") as failed:
            env.step("inventory")
        assert failed.value.passing


def test_as_many_sessions_as_there_may_be() -> None:
    with Served("textcraft", protocol="openenv", most=1, world="synthetic") as served:
        one, other = client(served.url), client(served.url, retries=0)
        task = one.tasks("train")[0]
        one.reset(task)
        with pytest.raises(EnvironmentFailure, match="--sessions") as failed:
            other.reset(task)
        assert failed.value.passing
        one.close()


def test_the_task_api() -> None:
    with Served("textcraft", protocol="openenv", world="synthetic") as served:
        assert page(served.port, "/list_environments") == (200, ["textcraft"])
        assert page(served.port, "/textcraft/splits")[1][0] == {"name": "train", "type": "train"}
        count = page(served.port, "/textcraft/num_tasks", {"split": "test"})[1]["num_tasks"]
        tasks = page(served.port, "/textcraft/tasks", {"split": "test"})[1]["tasks"]
        assert len(tasks) == count
        assert page(served.port, "/textcraft/task", {"split": "test", "index": 1})[1]["task"] == tasks[1]
        assert page(served.port, "/textcraft/task_range", {"split": "test", "start": 1, "stop": 3})[1] == {
            "tasks": tasks[1:3]
        }
        assert page(served.port, "/other/splits")[0] == 404
        assert page(served.port, "/textcraft/task", {"split": "test", "index": count})[0] == 400


def test_messages_that_cannot_be_done() -> None:
    with (
        Served("textcraft", protocol="openenv", world="synthetic") as served,
        connect(f"ws://127.0.0.1:{served.port}/ws") as socket,
    ):
        for sent, code in (
            ("no json", "UNKNOWN_TYPE"),
            ('{"type": "dance"}', "UNKNOWN_TYPE"),
            ('{"type": "step", "data": {"text": "look"}}', "EXECUTION_ERROR"),
            ('{"type": "step", "data": {"words": "look"}}', "VALIDATION_ERROR"),
            ('{"type": "reset", "data": {"split": "no such"}}', "EXECUTION_ERROR"),
        ):
            socket.send(sent)
            assert json.loads(socket.recv(30))["data"]["code"] == code
        socket.send('{"type": "reset", "data": {"split": "test", "index": 2}}')
        assert json.loads(socket.recv(30))["data"]["done"] is False
        socket.send('{"type": "state"}')
        assert json.loads(socket.recv(30))["data"]["step_count"] == 0


def test_settings_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="no JSON object"):
        client("http://127.0.0.1:9", reset="[1]")
    with pytest.raises(UsageError, match="http://"):
        client("ws://127.0.0.1:9")


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"properties": {"text": {"type": "string"}}, "required": ["text"]}, "text"),
        ({"properties": {"metadata": {"type": "object"}, "code": {"type": "string"}}, "required": ["code"]}, "code"),
        ({"properties": {"move": {"type": "integer"}}, "required": ["move"]}, None),
        ({"properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]}, None),
        ({}, None),
    ],
)
def test_which_actions_are_text(schema: dict[str, Any], field: str | None) -> None:
    assert read_schema(schema).field == field
