"""What a server can do wrong, what is tried again, and the sentence the user reads in the end."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from agentr_openai.failures import retry_after
from endpoint import Endpoint, Fault, cut, dribble, echo_key, says, status
from openai_asking import QUICK, TURNS, Ask

import agentr_core
from agentr_core import AgentrError, PolicyFailure, SampleRequest, SamplingParams, UsageError

PASSING: dict[str, Fault] = {
    "500": status(500),
    "503": status(503, Retry_After="0"),
    "429": status(429, "slow down", Retry_After="0.05"),
    "429 with a date": status(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
    "a cut answer": cut,
    "text that is no JSON": says("<html>"),
    "JSON that is no completion": says({"hello": "you"}),
    "half of a JSON object": says('{"choices": [{"mess'),
    "no choices": says({"choices": []}),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_may_pass_is_tried_again(fault: Fault, ask: Ask) -> None:
    with Endpoint() as server:
        right = ask(server, n=2)
    with Endpoint(fault, fault) as server:
        assert ask(server, n=2) == right
        assert len(server.bodies) == 3


def test_a_server_that_dribbles_is_given_up(ask: Ask) -> None:
    with Endpoint(dribble) as server:
        assert ask(server, timeout=0.3)
    with Endpoint(dribble) as server, pytest.raises(PolicyFailure) as failed:
        ask(server, timeout=0.3, retries=0)
    assert str(failed.value) == f"{server.url} did not finish its answer within 0.3 s (openai.timeout) (1 attempt)"


def lasting(fault: Fault, ask: Ask, **settings: Any) -> tuple[AgentrError, Endpoint]:
    """The error in the end, where a server goes on like this; its address is SERVER in the message."""
    with Endpoint(*[fault] * 9) as server, pytest.raises(AgentrError) as failed:
        ask(server, **settings)
    error = failed.value
    error.args = (str(error).replace(server.url, "SERVER"),)
    return error, server


@pytest.mark.parametrize(
    ("fault", "attempts", "kind", "message"),
    [
        (status(500, "out of memory"), 3, PolicyFailure, "SERVER answered HTTP 500: out of memory (3 attempts)"),
        (status(429, "slow down"), 3, PolicyFailure, "SERVER answered HTTP 429: slow down (3 attempts)"),
        (cut, 3, PolicyFailure, "SERVER broke off in the middle of an answer (3 attempts)"),
        (
            says("<html>busy"), 3, PolicyFailure,
            "SERVER answered with something that is not a completion: '<html>busy' (3 attempts)",
        ),
        (says({"choices": []}), 3, PolicyFailure, "SERVER gave an answer without any choice (3 attempts)"),
        (
            status(429, "come back", Retry_After="3600"), 1, PolicyFailure,
            "SERVER answered HTTP 429: come back (1 attempt; it asks to wait 3600 s)",
        ),
        (status(501, "no seeds here"), 1, PolicyFailure, "SERVER answered HTTP 501: no seeds here"),
        (
            status(401), 1, UsageError,
            "SERVER refused the key (HTTP 401): put a valid one into the environment variable OPENAI_API_KEY, or name "
            "another with openai.api_key_env",
        ),
        (
            status(404, "gone"), 1, UsageError,
            "SERVER has no model 'stub' (HTTP 404); it serves stub: name one with --model",
        ),
        (
            status(400, "This model's maximum context length is 4096 tokens, however you asked for 5000"), 1,
            PolicyFailure,
            "the conversation is longer than 'stub' reads at SERVER: set openai.context_length=4096, so that older "
            "turns are left out, or shorten the episodes",
        ),
        (
            status(400, "Only n=1 is allowed"), 1, PolicyFailure,
            "SERVER refused the request (HTTP 400): Only n=1 is allowed; see the settings of openai, such as "
            "openai.n=one, openai.max_tokens_field and openai.extra_body",
        ),
    ],
)  # fmt: skip
def test_what_lasts_is_said_in_one_sentence(
    fault: Fault, attempts: int, kind: type[AgentrError], message: str, ask: Ask
) -> None:
    error, server = lasting(fault, ask)
    assert (type(error), str(error)) == (kind, message)
    assert len(server.bodies) == attempts


def test_an_unknown_model_lists_what_there_is(ask: Ask) -> None:
    with Endpoint(model="smollm2") as server, pytest.raises(UsageError, match="it serves smollm2: name one with"):
        ask(server, model="smollm3")


def test_a_server_that_is_not_there(ask: Ask) -> None:
    with Endpoint() as server:
        pass
    with pytest.raises(PolicyFailure) as failed:
        ask(server)
    assert str(failed.value) == f"{server.url} refuses connections: is the server running? (3 attempts)"


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": None}, "finish_reason": "stop"},
        {"message": {"content": ""}, "finish_reason": "length"},
        {"message": {"content": "well"}, "finish_reason": "content_filter"},
    ],
)
def test_an_answer_without_text(choice: dict[str, Any], ask: Ask) -> None:
    good = {"message": {"content": "yes"}, "finish_reason": "stop"}
    with Endpoint(says({"choices": [choice, good]})) as server:
        assert [answer.finish_reason for answer in ask(server, n=2)] == ["error", "stop"]
    error, server = lasting(says({"choices": [choice, choice]}), ask, n=2)
    assert isinstance(error, PolicyFailure)
    assert str(error).startswith("'stub' gave 2 answers without text: a filter held them back, or 500 tokens")
    assert len(server.bodies) == 1


def test_a_server_is_left_alone_as_long_as_it_asks(ask: Ask) -> None:
    # Not a speed test: the answer cannot come earlier, whatever the machine.
    with Endpoint(status(429, Retry_After="0.2")) as server:
        began = time.monotonic()
        ask(server)
        assert time.monotonic() - began >= 0.2


def test_retry_after() -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    assert retry_after({"retry-after": "7"}) == 7
    assert retry_after({"retry-after": format_datetime(now + timedelta(seconds=90), usegmt=True)}, now) == 90
    assert retry_after({"retry-after": format_datetime(now - timedelta(seconds=90), usegmt=True)}, now) == 0
    assert [retry_after({"retry-after": value}) for value in ("", "soon", "nan", "inf")] == [None, None, None, None]
    assert retry_after({}) is None


def test_a_key_that_the_server_sends_back_is_not_shown(ask: Ask) -> None:
    error, _ = lasting(echo_key, ask)
    assert str(error) == "SERVER answered HTTP 418: what is Bearer ***?"


def test_a_server_that_has_answered_refuses_a_prompt_and_not_the_key() -> None:
    """A run goes on: one prompt failed, and the account has it."""

    async def scene(server: Endpoint) -> None:
        policy = agentr_core.create("policy", "openai", **{**QUICK, "base_url": server.url})
        request = SampleRequest(TURNS, SamplingParams(), 1, 1, "tree")
        server.faults.append(status(403, "no access"))
        with pytest.raises(UsageError, match="refuses what it is asked, or the key"):
            await policy.sample(request)
        assert await policy.sample(request)
        server.faults.append(status(403, "no access"))
        with pytest.raises(PolicyFailure, match=r"\(HTTP 403\): no access"):
            await policy.sample(request)
        await policy.close()

    with Endpoint() as server:
        asyncio.run(scene(server))
