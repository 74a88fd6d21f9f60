"""The policy ``openai`` at a real vLLM server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vllm_server import CONTEXT, NAME, VLLMServer

import agentr_core
from agentr_core import Completion, EngineLoad, Message, PolicyFailure, SampleRequest, SamplingParams
from agentr_core.interfaces.policy import AnyPolicy

from .conftest import TURNS

TEXT = {"api": "completions", "tokenizer": NAME}
APIS = pytest.mark.parametrize("api", [{}, TEXT], ids=["chat", "completions"])


@pytest.fixture(scope="module")
def server(smollm2: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VLLMServer]:
    """One server for all tests; the last of them kills it and starts it again."""
    with VLLMServer(smollm2, tmp_path_factory.mktemp("server") / "log") as running:
        yield running


def policy_at(server: VLLMServer, **settings: Any) -> AnyPolicy:
    made: AnyPolicy = agentr_core.create(
        "policy", "openai", **{"model": NAME, "base_url": server.url, "token_ids": True, **settings}
    )
    return made


def ask(
    server: VLLMServer, turns: tuple[Message, ...] = TURNS, n: int = 1, seed: int = 1, api: Any = None, **params: Any
) -> list[Completion]:
    async def scene() -> list[Completion]:
        policy = policy_at(server, **(api or {}))
        try:
            values = SamplingParams(**{"max_tokens": 16, **params})
            return await policy.sample(SampleRequest(turns, values, n, seed, "tree"))
        finally:
            await policy.close()

    return asyncio.run(scene())


@APIS
def test_samples_with_their_tokens(server: VLLMServer, api: dict[str, str]) -> None:
    answers = ask(server, n=4, api=api)
    assert len({answer.text for answer in answers}) > 1 and len(answers) == 4
    for answer in answers:
        assert 0 < len(answer.token_ids) == len(answer.logprobs) <= 16
        assert max(answer.logprobs) <= 0


@APIS
def test_seeds_and_stop_strings(server: VLLMServer, api: dict[str, str]) -> None:
    first = ask(server, n=2, seed=7, api=api)
    assert [answer.text for answer in ask(server, n=2, seed=7, api=api)] == [answer.text for answer in first]
    assert [answer.text for answer in ask(server, n=2, seed=8, api=api)] != [answer.text for answer in first]
    (plain,) = ask(server, temperature=0.0, max_tokens=30, api=api)
    stop = plain.text[10:13]
    (cut,) = ask(server, temperature=0.0, max_tokens=30, stop=(stop,), api=api)
    assert cut.text == plain.text[: plain.text.index(stop)] and cut.finish_reason == "stop"


def test_greedy_samples_come_one_by_one(server: VLLMServer) -> None:
    first, second = ask(server, n=2, temperature=0.0)
    assert first.token_ids == second.token_ids


def test_both_interfaces_ask_the_same(server: VLLMServer) -> None:
    (chat,) = ask(server, temperature=0.0)
    (text,) = ask(server, temperature=0.0, api=TEXT)
    assert (chat.token_ids, chat.text, chat.prompt_tokens) == (text.token_ids, text.text, text.prompt_tokens)
    policy = policy_at(server, **TEXT)
    assert policy.count_tokens(TURNS) == chat.prompt_tokens


def test_cached_tokens_are_counted(server: VLLMServer) -> None:
    turns = (TURNS[0], Message("user", "A quick brown fox jumps over the lazy dog. " * 20))
    ask(server, turns)
    (again,) = ask(server, turns)
    assert again.prompt_tokens // 2 < again.cached_tokens < again.prompt_tokens


@APIS
def test_a_conversation_that_is_too_long(server: VLLMServer, api: dict[str, str]) -> None:
    with pytest.raises(PolicyFailure, match=f"set openai.context_length={CONTEXT}"):
        ask(server, (TURNS[0], Message("user", "word " * 2100)), api=api)


def test_the_server_says_how_full_it_is(server: VLLMServer) -> None:
    async def scene() -> EngineLoad | None:
        policy = policy_at(server)
        while (load := policy.engine_load()) is None or not load.kv_used:
            await policy.sample(SampleRequest(TURNS, SamplingParams(max_tokens=60), n=8, seed=1, session="s"))
        await policy.close()
        return load

    load = asyncio.run(scene())
    assert load is not None and load.kv_tokens and load.kv_tokens >= CONTEXT
    assert load.busy and load.kv_used and 0 < load.kv_used <= 1 and load.cached is not None


def test_a_server_that_is_killed_and_started_again_loses_nothing(server: VLLMServer) -> None:
    async def scene() -> tuple[list[str], list[str]]:
        # One URL that is down is asked again and again; there is no other to turn to.
        policy = policy_at(server, retries=1000, backoff=0.5, max_wait=2.0)

        async def each(number: int) -> str:
            turns = (TURNS[0], Message("user", f"Goal {number}: craft a stick."))
            params = SamplingParams(temperature=0.0, max_tokens=24)
            (answer,) = await policy.sample(SampleRequest(turns, params, seed=1, session=str(number)))
            return answer.text

        right = [await each(number) for number in range(6)]
        asked = [asyncio.ensure_future(each(number)) for number in range(6)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        server.kill()
        server.start()
        again = list(await asyncio.gather(*asked))
        await policy.close()
        return right, again

    right, again = asyncio.run(scene())
    assert again == right
