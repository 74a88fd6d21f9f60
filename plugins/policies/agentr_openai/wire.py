"""What is sent, as the OpenAI API reference has it ("Create chat completion", "Create completion").

vLLM's additions are ``return_token_ids`` in the request and ``token_ids`` in each choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentr_core import Message, SamplingParams
from agentr_openai.config import OpenAIConfig


def request_body(
    config: OpenAIConfig, model: str, prompt: str | Sequence[Message], params: SamplingParams, n: int, seed: int
) -> dict[str, Any]:
    """The JSON of one request: ``prompt`` is text for the completions interface, turns for the chat interface.

    ``model`` is what the server calls it. Seeds are cut to 31 bits, which every server takes. Fields that
    ``config.omit`` names are left out.
    """
    body: dict[str, Any] = {"model": model, "temperature": params.temperature, "top_p": params.top_p}
    body |= {config.max_tokens_field: params.max_tokens, "seed": seed & 0x7FFFFFFF}
    if isinstance(prompt, str):
        body["prompt"] = printable(prompt)
    else:
        body["messages"] = [{"role": turn.role, "content": printable(turn.content)} for turn in prompt]
    if n > 1:
        body["n"] = n
    if params.stop:
        body["stop"] = list(params.stop)
    if config.token_ids:
        body |= {"logprobs": 1 if isinstance(prompt, str) else True, "return_token_ids": True}
    return {name: value for name, value in body.items() if name not in config.omit} | config.extra_body


def optional_fields(body: dict[str, Any]) -> tuple[str, ...]:
    """The fields of a request that could be left out."""
    return tuple(name for name in body if name not in ("model", "messages", "prompt"))


def printable(text: str) -> str:
    """``text`` with half surrogate pairs replaced: they cannot be sent as UTF-8."""
    return text.encode("utf-8", "replace").decode()
