"""The policy ``openai`` at well-behaved servers."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import pytest
from endpoint import Endpoint
from openai_asking import KEY, QUICK, TURNS, Ask
from scripted_runs import command, environment

import agentr_core
from agentr_core import ConfigError, Message, SampleRequest, SamplingParams, UsageError
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.testing import checks


def test_it_keeps_every_rule_of_a_policy() -> None:
    with Endpoint() as server:
        rules = checks("policy", "openai", {**QUICK, "base_url": server.url})
        for rule in rules:
            rule()  # raises ContractError
        assert rules and server.bodies, "and the server was asked"


def test_what_is_sent(ask: Ask) -> None:
    params = SamplingParams(temperature=0.5, top_p=0.9, max_tokens=7, stop=("x",))
    with Endpoint() as server:
        ask(server, n=3, seed=2**40 + 5, params=params, token_ids=True, extra_body={"top_k": 4})
    assert server.bodies == [
        {
            "model": "stub", "messages": [turn.as_dict() for turn in TURNS], "temperature": 0.5, "top_p": 0.9,
            "max_tokens": 7, "stop": ["x"], "n": 3, "seed": 5, "logprobs": True, "return_token_ids": True, "top_k": 4,
        }
    ]  # fmt: skip
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("setting", ["auto", "one"])
def test_the_rest_is_asked_for_where_a_server_gives_fewer(setting: str, ask: Ask) -> None:
    with Endpoint(most=1) as server:
        answers = ask(server, n=3, samples=setting)
    assert len({answer.text for answer in answers}) == 3
    assert len({body["seed"] for body in server.bodies}) == 3


def both(first: Endpoint, second: Endpoint, sessions: int) -> list[int]:
    """Requests that each server saw of so many sessions, two of each."""

    async def scene() -> None:
        policy: AnyPolicy = agentr_core.create("policy", "openai", **QUICK, base_url=[first.url, second.url])
        for session in [*range(sessions), *range(sessions)]:
            turns = (*TURNS[:1], Message("user", f"session {session}"))
            await policy.sample(SampleRequest(turns, seed=1, session=str(session)))
        await policy.close()

    asyncio.run(scene())
    return [len(first.bodies), len(second.bodies)]


def test_a_session_stays_with_its_server() -> None:
    with Endpoint() as first, Endpoint() as second:
        assert sum(both(first, second, 16)) == 32
        seen = [{body["messages"][1]["content"] for body in server.bodies} for server in (first, second)]
        assert seen[0] and seen[1] and not seen[0] & seen[1]


def test_sessions_move_on_where_a_server_is_gone() -> None:
    with Endpoint() as first, Endpoint() as second:
        first.stop()
        assert both(first, second, 8) == [0, 16]


def test_a_search_asks_it_and_the_key_is_nowhere(tmp_path: Path) -> None:
    with Endpoint() as server:
        done = subprocess.run(
            command(
                "search", "--env", "textcraft", "-o", "textcraft.world=synthetic", "--searcher", "mcts",
                "-o", "mcts.simulations=2", "--tasks", "2", "--policy", f"openai:{server.url}", "--model", "stub",
            ),
            cwd=tmp_path, env=environment(OPENAI_API_KEY=KEY), capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert server.bodies
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert KEY not in done.stdout + done.stderr


def test_the_key_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = agentr_core.create("policy", "openai", model="stub")
    shown = [repr(policy), repr(policy.config), repr(vars(policy)), repr(vars(policy._connection))]
    assert not [text for text in shown if KEY in text]
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(UsageError, match="the environment variable OPENAI_API_KEY is not set"):
        agentr_core.create("policy", "openai", model="stub")


@pytest.mark.parametrize("url", ["http://me:sk-1@host/v1", "host:80", "http://host/v1?key=sk-1"])
def test_urls_are_plain(url: str) -> None:
    with pytest.raises(ConfigError, match="base_url"):
        agentr_core.create("policy", "openai", model="stub", base_url=url)


def test_text_completions_need_a_tokenizer() -> None:
    with pytest.raises(ConfigError, match="api=completions needs tokenizer"):
        agentr_core.create("policy", "openai", model="stub", api="completions")
