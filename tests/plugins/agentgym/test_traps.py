"""What goes wrong at such servers: errors inside HTTP 200, sessions that are gone, ids that nobody gives back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from agentgym_fake import Fake
from agentr_agentgym.env import AgentGym
from serving import Served

from agentr_core import AgentrError, EnvironmentFailure, UsageError, create


def client(url: str, kind: str = "alfworld", **options: object) -> AgentGym:
    made: AgentGym = create("env", "agentgym", url=url, server=kind, wait=0.0, **options)
    return made


def test_an_error_with_status_200_is_an_error() -> None:
    with Fake("alfworld") as server:
        env = client(server.url, retries=0)
        env.reset(env.task("alfworld_0"))
        server.faults.append((200, b'{"error": "list index out of range"}'))
        with pytest.raises(EnvironmentFailure, match="list index out of range") as failed:
            env.step("add 1")
        assert not failed.value.passing


@pytest.mark.parametrize("fault", [None, (503, b"busy"), (200, b'{"error": "gone"}'), (200, b"<html>"), (500, b"no")])
def test_a_step_that_failed_is_done_in_a_new_session(fault: tuple[int, bytes] | None) -> None:
    with Fake("alfworld") as server:
        env = client(server.url)
        env.reset(env.task("alfworld_1"))
        env.step("add 1")
        server.faults.append(fault)
        assert env.step("add 2").observation == "it is 4"
        assert (len(server.worlds), env.mismatches) == (2, 0)


def test_a_server_that_was_started_again_under_two_clients() -> None:
    """Its ids begin at 0 again: neither goes on in the other's session."""
    with Fake("alfworld") as server:
        one, other = client(server.url), client(server.url)
        for env, number in ((one, 1), (other, 2)):
            env.reset(env.task(f"alfworld_{number}"))
        server.forget()
        assert other.step("add 1").observation == "it is 3"
        assert one.step("add 3").observation == "it is 4"
        assert other.step("add 1").observation == "it is 4"


def test_a_replay_that_shows_something_else_is_counted() -> None:
    with Fake("alfworld") as server:
        env = client(server.url)
        env.reset(env.task("alfworld_1"))
        env.step("add 1")
        server.faults.extend([None, (200, b'{"id": 1, "observation": "elsewhere", "available_actions": []}')])
        env.step("add 2")
        assert env.mismatches == 2  # the first observation, and the step from elsewhere


def test_a_server_that_is_away_may_come_back() -> None:
    with Served("textcraft", world="synthetic") as served:
        env = client(served.url, "textcraft", retries=1)
        task = env.tasks("train")[0]
        first = env.reset(task)
        served.stop()
        with pytest.raises(EnvironmentFailure, match="is the server running") as failed:
            env.reset(task)
        assert failed.value.passing
        with Served("textcraft", port=served.port, world="synthetic"):
            assert env.reset(task) == first


def test_another_kind_of_server_is_told_of() -> None:
    with Fake("wordle") as server:
        env = client(server.url, "alfworld")
        with pytest.raises(EnvironmentFailure, match=r"agentgym\.server names another kind"):
            env.reset(env.task("alfworld_0"))


def test_an_answer_of_another_shape_is_told_of() -> None:
    with Fake("babyai") as server:
        env = client(server.url, "webshop")
        with pytest.raises(AgentrError, match=r"agentgym\.server must name the kind"):
            env.reset(env.task("webshop_0"))


def test_ids_are_given_back() -> None:
    with Served("textcraft", world="synthetic") as served:
        env = client(served.url, "textcraft")
        task = env.tasks("train")[0]
        for _ in range(5):
            env.reset(task)
        assert len(served.sessions) == 1
        env.close()
        env.close()
        assert len(served.sessions) == 0
        env.reset(task)
        del env
        assert len(served.sessions) == 0
        assert served.sessions.counts.created == served.sessions.counts.closed == 2


def test_ids_that_cannot_be_closed_are_used_again() -> None:
    with Fake("alfworld") as server:
        for _ in range(4):
            env = client(server.url)
            env.reset(env.task("alfworld_0"))
            env.close()
        assert len(server.worlds) == 1


def test_ids_are_given_back_when_the_interpreter_ends() -> None:
    with Served("textcraft", world="synthetic") as served:
        code = (
            "from agentr_core import create\n"
            f"env = create('env', 'agentgym', url='{served.url}', server='textcraft')\n"
            "env.reset(env.tasks('train')[0])\n"
            "raise SystemExit(3)"
        )
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 3
        assert (served.sessions.counts.created, len(served.sessions)) == (1, 0)


def test_splits_by_ids(tmp_path: Path) -> None:
    file = tmp_path / "ids.json"
    file.write_text('[{"item_id": "alfworld_7"}, {"item_id": "alfworld_3"}]')
    with Fake("alfworld") as server:
        env = client(server.url, train="0-2,9", test=str(file))
        assert [task.key for task in env.tasks("train")] == [f"alfworld_{n}" for n in (0, 1, 2, 9)]
        assert [task.key for task in env.tasks("test")] == ["alfworld_7", "alfworld_3"]
        assert len(env.tasks("all")) == 2620
        assert not {task.key for task in client(server.url).tasks("train")} & {
            task.key for task in client(server.url).tasks("test")
        }


@pytest.mark.parametrize("wrong", ["no-such-file.json", "0-2,x"])
def test_ids_that_cannot_be_read(wrong: str) -> None:
    with Fake("alfworld") as server, pytest.raises(UsageError, match=r"agentgym\.test"):
        client(server.url, test=wrong).splits()


def test_a_head_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "head.txt"
    file.write_text("You are in a house.")
    with Fake("alfworld") as server:
        env = client(server.url, instructions=str(file))
        assert env.instructions(env.task("alfworld_0")) == "You are in a house."


def test_settings_that_cannot_be() -> None:
    for wrong, said in (({"server": "minecraft"}, "there are: textcraft"), ({"url": "localhost:80"}, "http://")):
        with pytest.raises(UsageError, match=said):
            create("env", "agentgym", **wrong)
