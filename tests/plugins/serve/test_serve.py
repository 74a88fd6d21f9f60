"""``agentr serve``: sessions, errors as AgentGym gives them, and the command itself."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from agentr_serve.numbering import Numbering
from agentr_serve.sessions import Full, NoSession, Sessions
from scripted_runs import command, environment
from serving import Served

from agentr_core import create

TEXTCRAFT = {"world": "synthetic", "depth": 2}
HANGMAN = Path(__file__).resolve().parents[2] / "thirdparty" / "agentr-hangman"


class Asking:
    """Asks a server as AgentGym's clients do."""

    def __init__(self, port: int) -> None:
        self._port = port

    def __call__(self, path: str, body: Any = None) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        sent = body if body is None or isinstance(body, str) else json.dumps(body)
        connection.request("GET" if body is None else "POST", path, sent)
        response = connection.getresponse()
        found = response.status, json.loads(response.read())
        connection.close()
        return found


def test_textcraft_as_agentgym_serves_it() -> None:
    inside = create("env", "textcraft", **TEXTCRAFT)
    task = Numbering(inside).task(3)
    with Served("textcraft", **TEXTCRAFT) as served:
        ask = Asking(served.port)
        assert ask("/") == (200, "This is environment TextCraft.")
        number = ask("/create", {})[1]["id"]
        first = inside.reset(task)
        status, began = ask("/reset", {"id": number, "data_idx": 3})
        assert (status, began["id"], began["observation"], began["done"], began["reward"]) == (
            200,
            number,
            first,
            False,
            0,
        )
        for action in ("inventory", "get 1 moonlight", "\ud800", *inside.demonstrate(task)):
            expected = inside.step(action)
            said = ask("/step", {"id": number, "action": action})[1]
            assert (said["observation"], said["reward"]) == (expected.observation, expected.reward)
            assert said["done"] == expected.terminated
            assert ask(f"/observation?id={number}") == (200, expected.observation)
        assert ask("/close", {"id": number}) == (200, {"closed": True})


def test_webshop_as_agentgym_serves_it() -> None:
    with Served("webshop", products=40) as served:
        ask = Asking(served.port)
        number = ask("/create", "")[1]
        assert isinstance(number, int)
        page = ask("/reset", {"env_idx": number, "session_id": 2})[1][0]
        assert page.startswith("WebShop [SEP] Instruction: [SEP] ")
        assert ask(f"/available_actions?env_idx={number}")[1] == {"has_search_bar": True, "clickables": ["search"]}
        assert ask(f"/instruction_text?env_idx={number}")[1] == f"Instruction: {page.split(' [SEP] ')[2]}"
        said = ask("/step", {"env_idx": number, "action": "search[shoe]"})[1]
        assert (said["state"][:13], said["reward"], said["done"], said["info"]) == ("Instruction: ", 0.0, False, None)
        assert ask("/step", {"env_idx": 1, "action": "search[shoe]"}) == (500, {"error": "The id 1 is not valid."})


def test_errors_come_with_status_200() -> None:
    with Served("textcraft", **TEXTCRAFT) as served:
        ask = Asking(served.port)
        assert ask("/step", {"id": 7, "action": "look"}) == (200, {"error": "The id 7 is not valid."})
        assert ask("/observation?id=x") == (200, {"error": "The id x is not valid."})
        number = ask("/create", {})[1]["id"]
        status, said = ask("/reset", {"id": number, "data_idx": 10**6})
        assert status == 200 and "has no task" in said["error"]
        assert ask("/reset", "no json")[0] == ask("/step", {"id": number})[0] == 422
        env = create("env", "textcraft", **TEXTCRAFT)
        ask("/reset", {"id": number, "data_idx": 0})
        for action in env.demonstrate(Numbering(env).task(0)):
            ask("/step", {"id": number, "action": action})
        assert "has finished" in ask("/step", {"id": number, "action": "look"})[1]["error"]
        assert served.sessions.counts.errors == 6


def test_sessions_that_nobody_asks_expire() -> None:
    now = [0.0]
    sessions = Sessions(lambda: create("env", "textcraft", **TEXTCRAFT), most=3, idle=60.0, clock=lambda: now[0])
    late, kept = sessions.open(), sessions.open()
    now[0] = 50.0
    sessions.get(kept.number)
    now[0] = 70.0
    assert asyncio.run(sessions.expire()) == 1
    with pytest.raises(NoSession):
        sessions.get(late.number)
    assert sessions.get(kept.number) is kept
    assert (sessions.told()["open"], sessions.counts.expired) == (1, 1)


def test_there_is_an_end_to_sessions() -> None:
    sessions = Sessions(lambda: create("env", "textcraft", **TEXTCRAFT), most=2, idle=0.0)
    sessions.open(), sessions.open()
    with pytest.raises(Full, match="--sessions"):
        sessions.open()
    assert sessions.counts.refused == 1


def test_many_at_once_do_not_mix_and_leave_nothing() -> None:
    with Served("textcraft", **TEXTCRAFT) as served:

        def play(number: int) -> bool:
            env = create("env", "agentgym", url=served.url, server="textcraft")
            inside = create("env", "textcraft", **TEXTCRAFT)
            task = env.task(f"synthetic_{number}")
            same = env.reset(task) == inside.reset(task)
            for action in (*inside.demonstrate(task), "inventory")[:6]:
                result = env.step(action)
                same &= result == inside.step(action)
                if result.terminated:
                    break
            env.close()
            return same

        with ThreadPoolExecutor(16) as threads:
            assert all(threads.map(play, range(32)))
        assert served.sessions.told() | {"requests": 0} == {
            "open": 0, "created": 32, "closed": 32, "expired": 0, "refused": 0, "requests": 0, "errors": 0,
        }  # fmt: skip


def test_any_environment_is_numbered() -> None:
    env = create("env", "agentr_core.testing.fakes:CounterEnvironment")
    numbering = Numbering(env)
    for task in env.tasks(env.splits()[0]):
        number = numbering.number(task)
        assert number is not None and numbering.task(number) == task


def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("serve", "--env", "textcraft", "-o", "textcraft.world=synthetic", "--port", "0"),
        cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "http://127.0.0.1:" in line
    port = int(line.split("127.0.0.1:")[1].split()[0])
    assert Asking(port)("/create", {})[0] == 200
    process.send_signal(signal.SIGINT)
    said = process.stderr.read()
    assert process.wait(30) == 0
    assert "Traceback" not in said
    assert "1 created, 1 closed" in said


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command("serve", "--env", "textcraft", "-o", "textcraft.world=synthetic", "--port", port),
            cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"cannot listen at 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr
