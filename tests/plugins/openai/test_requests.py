"""What is sent where, how settings may be written, and what the user reads where a server refuses a field."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest
from endpoint import Endpoint, Fault, says, send, status
from openai_asking import KEY, QUICK, TURNS, Ask

import agentr_core
from agentr_core import AgentrError, ConfigError, Message, PolicyFailure, SampleRequest, SamplingParams, UsageError

FIELDS = ["temperature", "top_p", "max_tokens", "seed", "stop", "n", "logprobs", "return_token_ids"]


@pytest.mark.parametrize("omit", [["seed", "top_p"], "seed,top_p", "seed top_p", FIELDS, []])
def test_fields_are_left_out(omit: Any, ask: Ask) -> None:
    params = SamplingParams(stop=("x",))
    with Endpoint() as server:
        assert len(ask(server, n=2, omit=omit, token_ids=True, params=params)) == 2
    left = {*FIELDS, "model", "messages"} - set(omit.replace(",", " ").split() if isinstance(omit, str) else omit)
    assert server.bodies[0].keys() == left


def test_without_n_each_sample_is_a_request(ask: Ask) -> None:
    with Endpoint() as server:
        ask(server, n=3, omit=["n"])
    assert len({body["seed"] for body in server.bodies}) == 3


#: A refusal, and the advice that it comes to. ``UsageError``: every other request would be refused as well.
ADVICE: list[tuple[int, Any, type[AgentrError], str]] = [
    (400, "unknown field `seed`", UsageError, "openai.omit=seed"),
    (400, "`temperature` and `top_p` cannot both be specified for this model.", UsageError, "openai.omit=top_p"),
    (400, "Unsupported value: 'temperature' does not support 0.5", UsageError, "openai.omit=temperature"),
    (
        400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", UsageError,
        "openai.max_tokens_field=max_completion_tokens",
    ),
    (422, [{"loc": ["body", "seed"], "msg": "Extra inputs are not permitted"}], UsageError, "openai.omit=seed"),
    (400, "Unrecognized request argument: top_k", UsageError, "openai.omit=top_k, or take it out of openai.extra_body"),
    (400, "top_p must be in (0, 1]", PolicyFailure, "openai.omit=top_p"),
    (400, "stop thinking about it, n times", PolicyFailure, "see the settings of openai"),
    (422, "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000", PolicyFailure, "context_length=4096"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "said", "kind", "advice"), ADVICE)
def test_a_field_that_is_refused(code: int, said: Any, kind: type[AgentrError], advice: str, ask: Ask) -> None:
    with Endpoint(status(code, said)) as server, pytest.raises(AgentrError, match=f"{advice}") as failed:
        ask(server, extra_body={"top_k": 4}, params=SamplingParams(stop=("x",)))
    assert type(failed.value) is kind
    assert len(server.bodies) == 1


def test_gemini_says_it_in_a_list(ask: Ask) -> None:
    body = [{"error": {"code": 400, "message": 'Unknown name "seed": Cannot find field.'}}]
    refuse: Fault = lambda endpoint, handler, _: send(handler, 400, body)  # noqa: E731
    with Endpoint(refuse) as server, pytest.raises(UsageError, match=r"openai\.omit=seed"):
        ask(server)


@pytest.mark.parametrize("written", ['{"top_k": 4, "min_p": 0.1}', {"top_k": 4, "min_p": 0.1}])
def test_a_table_may_be_json(written: Any, ask: Ask) -> None:
    with Endpoint() as server:
        ask(server, extra_body=written)
    assert (server.bodies[0]["top_k"], server.bodies[0]["min_p"]) == (4, 0.1)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"extra_body": "top_k=4"}, r"extra_body: must be a table: \{top_k = 20\} as TOML writes it, or"),
    ({"extra_body": "[1]"}, "extra_body: must be a table"),
    ({"omit": ["messages"]}, "cannot leave out messages; choose of temperature, top_p"),
    ({"omit": "seed", "extra_body": {"n": 1}}, "extra_body may not hold n"),
    ({"omit": "temperature", "extra_body": {"temperature": 1}}, "extra_body sets temperature, which omit leaves out"),
    ({"headers": {"api-key": KEY}}, r"'api-key' would be stored with the run; put its value into an environment"),
    ({"query": {"token": KEY}}, "'token' would be stored with the run"),
    ({"base_url": f"http://host/v1?api_key={KEY}"}, "base_url must hold no user, password or key"),
    ({"base_url": ["http://a/v1?x=1", "http://b/v1"]}, "base_url: all URLs must have the same query"),
    ({"base_url": "http://host/v1/chat/completions"}, "must end where '/chat/completions' begins: http://host/v1"),
    ({"base_url": "http://host/v1/models/"}, "must end where '/models/' begins: http://host/v1"),
    ({"serve": "vllm serve {model}"}, "serve needs one base_url"),
    ({"serve": "vllm serve", "base_url": "http://127.0.0.1:1/v1"}, "serve: must hold {model}"),
    ({"serve": "vllm 'serve {model}", "base_url": "http://127.0.0.1:1/v1"}, "serve: no closing quotation"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_settings_that_cannot_be(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as failed:
        agentr_core.create("policy", "openai", model="stub", **settings)
    assert KEY not in str(failed.value)


@pytest.mark.parametrize("place", ["in the URL", "in a setting", "in a setting as JSON"])
def test_azure(place: str, ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_KEY", "az-secret")
    settings: dict[str, Any] = {"headers": {"api-key": "${AZURE_KEY}", "X-Team": "search"}}
    root = "/openai/deployments/d"
    with Endpoint(root=root) as server:
        url = server.url.removesuffix("/v1") + root
        if place == "in the URL":
            settings["base_url"] = f"{url}?api-version=2024-10-21"
        else:
            settings |= {"base_url": url, "query": {"api-version": "2024-10-21"}}
        if place.endswith("JSON"):
            settings |= {"query": '{"api-version": "2024-10-21"}'}
        ask(server, **settings)
    assert server.paths == [f"{root}/chat/completions?api-version=2024-10-21"]
    sent = server.headers[0]
    assert (sent["api-key"], sent["x-team"], "authorization" in sent) == ("az-secret", "search", False)


def test_a_variable_that_is_not_set_and_one_that_is_sent_back(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint(status(418, "what is az-secret?")) as server:
        with pytest.raises(UsageError, match=r"AZURE_KEY is not set, which openai\.headers names"):
            ask(server, headers={"api-key": "${AZURE_KEY}"})
        monkeypatch.setenv("AZURE_KEY", "az-secret")
        with pytest.raises(PolicyFailure, match=r"what is \*\*\*\?"):
            ask(server, headers={"api-key": "${AZURE_KEY}"})


def test_the_variable_of_the_client_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")
    monkeypatch.delenv("OPENAI_API_KEY")
    assert agentr_core.create("policy", "openai", model="stub").config.base_url == ("http://127.0.0.1:9/v1",)
    named = agentr_core.create("policy", "openai", model="stub", base_url="http://127.0.0.1:8/v1")
    assert named.config.base_url == ("http://127.0.0.1:8/v1",)
    monkeypatch.setenv("OPENAI_BASE_URL", "127.0.0.1:9")
    with pytest.raises(ConfigError, match="base_url"):
        agentr_core.create("policy", "openai", model="stub")


@pytest.mark.parametrize("path", ["", "/v2"])
def test_a_wrong_path_is_told_the_right_one(path: str, ask: Ask) -> None:
    with Endpoint(root="/v1/") as server, pytest.raises(UsageError) as failed:
        ask(server, base_url=server.url.removesuffix("/v1") + path)
    assert str(failed.value).endswith(f"set openai.base_url={server.url}")


def answer(prompt: int, cached: int = 0) -> dict[str, Any]:
    usage = {"prompt_tokens": prompt, "prompt_tokens_details": {"cached_tokens": cached}}
    return {"choices": [{"message": {"content": "Action: look"}}], "usage": usage}


#: Tokens that the server counted, of them cached, words of the prompt, and whether that cannot be the whole of it.
COUNTS = [(100, 0, 1000, True), (900, 0, 1000, False), (100, 900, 1000, False), (0, 0, 1000, False), (3, 0, 20, False)]


@pytest.mark.parametrize(("counted", "cached", "words", "warned"), COUNTS)
def test_a_context_that_is_cut_silently(
    counted: int, cached: int, words: int, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene(server: Endpoint) -> None:
        policy = agentr_core.create("policy", "openai", **QUICK, base_url=server.url)
        for seed in range(2):
            turn = Message("user", "word " * (words - 2))
            await policy.sample(SampleRequest((TURNS[0], turn), seed=seed))
        await policy.close()

    with Endpoint(*[says(answer(counted, cached))] * 2) as server, caplog.at_level(logging.WARNING, "agentr.openai"):
        asyncio.run(scene(server))
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == warned
    if warned:
        assert messages[0].startswith(f"{server.url} counted 100 tokens of a prompt that has 1000 words")
