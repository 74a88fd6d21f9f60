"""Answers as servers really write them, one row each: what is said is used, and an error inside counts as one."""

from __future__ import annotations

from typing import Any

import pytest
from endpoint import Endpoint, Fault, hang_up, says, status
from openai_asking import Ask

from agentr_core import AgentrError, PolicyFailure, UsageError

TEXT = "Thought: look first.\nAction: inventory"
STOP: dict[str, Any] = {"finish_reason": "stop"}
USAGE = {"prompt_tokens": 100, "completion_tokens": 9, "total_tokens": 109}


def chat(message: dict[str, Any], finish: str | None = "stop", usage: Any = USAGE, **more: Any) -> dict[str, Any]:
    """A chat completion of one choice."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "x", "object": "chat.completion", "model": "stub", "choices": [choice], "usage": usage, **more}


def call(arguments: Any, name: str = "act", kind: str = "tool_calls") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {kind: [{"id": "1", "type": "function", "function": function}] if kind == "tool_calls" else function}


CALLED = '<tool_call>{"name": "act", "arguments": {"action": "inventory"}}</tool_call>'
ACTION = '{"action": "inventory"}'

#: Name: the answer, and the text and finish reason that come of it.
MESSAGES: dict[str, tuple[dict[str, Any], str, str]] = {
    "Mistral: chunks of thinking and text": (
        chat({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                          {"type": "text", "text": TEXT[:10]}, {"type": "text", "text": TEXT[10:]}]}),
        TEXT, "stop",
    ),
    "a proxy of Claude: thinking as plain text": (
        chat({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": TEXT}]}), TEXT, "stop",
    ),
    "chunks that are plain texts": (chat({"content": [TEXT[:9], TEXT[9:]]}), TEXT, "stop"),
    "output_text": (chat({"content": [{"type": "output_text", "text": TEXT}]}), TEXT, "stop"),
    "thinking chunks alone, cut off": (
        chat({"content": [{"type": "thinking", "thinking": "hm"}]}, "length"), "", "length",
    ),
    "vLLM, SGLang: text beside its reasoning": (chat({"content": TEXT, "reasoning_content": "hm"}), TEXT, "stop"),
    "vLLM: cut off while it reasons": (chat({"content": None, "reasoning_content": "hm"}, "length"), "", "length"),
    "OpenRouter, Ollama: cut off while it reasons": (chat({"content": "", "reasoning": "hm"}, "length"), "", "length"),
    "OpenAI: cut off while it reasons unseen": (
        chat({"content": ""}, "length", {**USAGE, "completion_tokens_details": {"reasoning_tokens": 9}}), "", "length",
    ),
    "DeepSeek: reasoning and an empty answer": (chat({"content": "", "reasoning_content": TEXT}), "", "stop"),
    "reasoning and no answer": (chat({"content": None, "reasoning_content": TEXT}), "", "stop"),
    "a tool call": (chat({"content": None, **call(ACTION)}, "tool_calls"), CALLED, "stop"),
    "Ollama: arguments that are no text": (chat({"content": "", **call({"action": "inventory"})}), CALLED, "stop"),
    "an old function call": (chat({"content": None, **call(ACTION, kind="function_call")}), CALLED, "stop"),
    "a tool call after a thought": (chat({"content": "I look. ", **call(ACTION)}), "I look.\n" + CALLED, "stop"),
    "arguments that are no JSON": (
        chat({"content": None, **call("{oops")}), '<tool_call>{"name": "act", "arguments": "{oops"}</tool_call>',
        "stop",
    ),
    "no arguments": (
        chat({"content": None, **call("", "look")}), '<tool_call>{"name": "look", "arguments": {}}</tool_call>', "stop",
    ),
    "tool_calls that are null": (chat({"content": TEXT, "tool_calls": None}), TEXT, "stop"),
    "OpenAI: a refusal": (chat({"content": None, "refusal": "I cannot."}), "I cannot.", "stop"),
    "llama.cpp: finish_reason null": (chat({"content": TEXT}, None), TEXT, "stop"),
    "usage null": (chat({"content": TEXT}, usage=None), TEXT, "stop"),
    "usage missing": ({"choices": [{"message": {"content": TEXT}}]}, TEXT, "stop"),
    "usage of nulls": (chat({"content": TEXT}, usage=dict.fromkeys(USAGE)), TEXT, "stop"),
    "usage of texts": (chat({"content": TEXT}, usage={"prompt_tokens": "many"}), TEXT, "stop"),
    "usage that is none": (chat({"content": TEXT}, usage=[1]), TEXT, "stop"),
    "details null": (chat({"content": TEXT}, usage={**USAGE, "prompt_tokens_details": None}), TEXT, "stop"),
    "an error that is null": (chat({"content": TEXT}, error=None), TEXT, "stop"),
    "an error beside a good text": (chat({"content": TEXT}, error={"message": "full", "code": 500}), TEXT, "stop"),
    "half a surrogate pair": (chat({"content": "a\ud83db"}), "a?b", "stop"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "text", "finish"), MESSAGES.values(), ids=MESSAGES.keys())
def test_what_is_said(body: dict[str, Any], text: str, finish: str, ask: Ask) -> None:
    with Endpoint(says(body)) as server:
        [answer] = ask(server)
    assert (answer.text, answer.finish_reason) == (text, finish)
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 100.5, "completion_tokens": 9.0}, (100, 0)),
        ({"prompt_tokens": None, "prompt_tokens_details": {"cached_tokens": 4.0}}, (0, 4)),
        ({"prompt_tokens": -1, "prompt_tokens_details": {"cached_tokens": None}}, (0, 0)),
        ({"prompt_tokens": float("inf"), "prompt_tokens_details": [3]}, (0, 0)),
    ],
)
def test_counts_that_are_odd(usage: dict[str, Any], counted: tuple[int, int], ask: Ask) -> None:
    with Endpoint(says(chat({"content": TEXT}, usage=usage))) as server:
        [answer] = ask(server)
    assert (answer.text, answer.prompt_tokens, answer.cached_tokens) == (TEXT, *counted)


#: Name: logprobs of an answer of two tokens, and those that are used.
LOGPROBS: dict[str, tuple[Any, tuple[float, ...]]] = {
    "the chat interface": ({"content": [{"logprob": -0.5}, {"logprob": 0.1}]}, (-0.5, 0.0)),
    "the old interface": ({"tokens": ["a", "b"], "token_logprobs": [-0.5, -1]}, (-0.5, -1.0)),
    "none": (None, ()),
    "an empty object": ({}, ()),
    "content null": ({"content": None}, ()),
    "a null": ({"content": [{"logprob": None}, {"logprob": -1.0}]}, ()),
    "a null in the old interface": ({"token_logprobs": [None, -1.0]}, ()),
    "a list": ([-0.5, -1.0], ()),
    "fewer than tokens": ({"content": [{"logprob": -0.5}]}, ()),
    "no numbers": ({"content": [{"logprob": "x"}, {"logprob": float("nan")}]}, ()),
}


@pytest.mark.parametrize(("logprobs", "used"), LOGPROBS.values(), ids=LOGPROBS.keys())
def test_logprobs_are_used_or_left_out(logprobs: Any, used: tuple[float, ...], ask: Ask) -> None:
    choice = {"message": {"content": TEXT}, "token_ids": [1, 2], "logprobs": logprobs, **STOP}
    with Endpoint(says({"choices": [choice]})) as server:
        [answer] = ask(server)
    assert (answer.text, answer.token_ids, answer.logprobs) == (TEXT, (1, 2), used)


def inside(code: Any, message: str = "no luck", **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, "code": code, **more}}


NULL = {"id": None, "object": "chat.completion", "choices": None, "usage": None}

#: Name: an error inside HTTP 200, the attempts that it is worth, the error in the end and what its message holds.
ERRORS: dict[str, tuple[Any, int, type[AgentrError], str]] = {
    "OpenRouter: 402": (inside(402, "Insufficient credits"), 1, UsageError, "no credit left (error 402): Insufficient"),
    "401": (inside(401, "No auth"), 1, UsageError, "refused the key (error 401): put a valid one"),
    "401, its words": (inside(401, "No auth"), 1, UsageError, "; it says: No auth"),
    "403": (inside(403, "this key may not use it"), 1, UsageError, "(error 403): this key may not use it"),
    "403 of one prompt": (
        inside(403, "flagged by moderation"), 1, PolicyFailure, "(error 403): flagged by moderation",
    ),
    "404": (inside(404, "no such model"), 1, UsageError, "no model 'stub' (error 404); it says: no such model"),
    "a number as text": (inside("402", "pay"), 1, UsageError, "(error 402): pay"),
    "a name": (inside("model_not_found", "gone"), 1, UsageError, "(error 404); it says: gone"),
    "a kind": (inside(None, "overloaded", type="overloaded_error"), 3, PolicyFailure, "error 529: overloaded (3"),
    "OpenRouter: 429 with the provider's words": (
        inside(429, "Provider returned error", metadata={"raw": "rate limited upstream"}), 3, PolicyFailure,
        "answered error 429: Provider returned error (rate limited upstream) (3 attempts)",
    ),
    "choices null and an error": (NULL | inside(429, "worker limit"), 3, PolicyFailure, "error 429: worker limit"),
    "an error beside no text": (chat({"content": None}) | inside(429), 3, PolicyFailure, "error 429: no luck"),
    "an error in the choice": (
        {"choices": [{"finish_reason": "error", "message": {"content": ""}, **inside(502, "upstream")}]}, 3,
        PolicyFailure, "error 502: upstream",
    ),
    "SGLang: a bare error": (
        {"object": "error", "message": "n_ctx is out", "type": "BadRequestError", "code": 400}, 1, PolicyFailure,
        "refused the request (error 400): n_ctx is out",
    ),
    "Ollama: a text": ({"error": "model crashed"}, 3, PolicyFailure, "answered with an error: model crashed"),
    "a detail": ({"detail": "try later"}, 3, PolicyFailure, "answered with an error: try later"),
    "choices null": (NULL, 3, PolicyFailure, "gave an answer without any choice (3 attempts)"),
    "choices that are none": ({"choices": ["hi"]}, 3, PolicyFailure, "something that is not a completion"),
    "a page": ("<!doctype html><title>Sign in</title>", 3, PolicyFailure, "not a completion: '<!doctype html>"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "attempts", "kind", "message"), ERRORS.values(), ids=ERRORS.keys())
def test_an_error_inside_an_answer(body: Any, attempts: int, kind: type[AgentrError], message: str, ask: Ask) -> None:
    with Endpoint(*[says(body)] * 4) as server, pytest.raises(AgentrError) as failed:
        ask(server)
    assert type(failed.value) is kind
    assert message in str(failed.value)
    assert len(server.bodies) == attempts


def test_an_errored_choice_among_good_ones_is_asked_for_again(ask: Ask) -> None:
    good = {"message": {"content": TEXT}, **STOP}
    bad = {"message": {"content": ""}, "finish_reason": "error", **inside(502)}
    with Endpoint(says({"choices": [bad, good]})) as server:
        assert [answer.finish_reason for answer in ask(server, n=2)] == ["stop", "stop"]
    assert [body.get("n", 1) for body in server.bodies] == [2, 1]


N_REFUSED: dict[str, Fault] = {
    "OpenAI-like": status(400, "Only n=1 is allowed"),
    "quoted": status(400, "'n' is not supported by this model"),
    "FastAPI-like": status(422, [{"loc": ["body", "n"], "msg": "Extra inputs are not permitted"}]),
}


@pytest.mark.parametrize("fault", N_REFUSED.values(), ids=N_REFUSED.keys())
def test_a_server_that_refuses_n_is_asked_one_by_one(fault: Fault, ask: Ask) -> None:
    with Endpoint(fault) as server:
        answers = ask(server, n=3, retries=0)
    assert len({answer.text for answer in answers}) == 3
    assert [body.get("n", 1) for body in server.bodies] == [3, 1, 1, 1]
    assert len({body["seed"] for body in server.bodies[1:]}) == 3


@pytest.mark.parametrize("idle", [False, True], ids=["new", "kept alive"])
def test_a_connection_that_the_server_cuts(idle: bool, ask: Ask) -> None:
    proper: list[Fault] = [says(chat({"content": TEXT}))] if idle else []
    with Endpoint(*proper, hang_up, most=1) as server:
        assert all(answer.text for answer in ask(server, n=2, samples="one"))
    assert len(server.bodies) == 3
