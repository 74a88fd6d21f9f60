"""What is sent and what comes back, as the OpenAI API reference has it ("Create chat completion", "Create completion").

vLLM's additions are ``return_token_ids`` in the request and ``token_ids`` in each choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from agentr_core import Completion, Message, SamplingParams
from agentr_openai.config import OpenAIConfig
from agentr_openai.failures import Failure

#: Finish reasons that mean an answer was cut off by its length; all but these and ``_REFUSED`` are an ordinary end.
_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_REFUSED = frozenset({"content_filter", "error", "abort"})


class _Details(BaseModel):
    cached_tokens: int | None = None


class _Usage(BaseModel):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None

    @property
    def cached_tokens(self) -> int:
        return (self.prompt_tokens_details and self.prompt_tokens_details.cached_tokens) or 0


class _Said(BaseModel):
    content: str | None = None


class _Token(BaseModel):
    logprob: float


class _Logprobs(BaseModel):
    """The chat interface has ``content``, the completions interface ``token_logprobs``."""

    content: list[_Token] | None = None
    token_logprobs: list[float | None] | None = None

    def values(self) -> list[float]:
        if self.content is not None:
            return [token.logprob for token in self.content]
        return [value for value in self.token_logprobs or () if value is not None]


class _Choice(BaseModel):
    message: _Said | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None
    token_ids: list[int] | None = None


class Reply(BaseModel):
    """The answer to one request; fields that are not read here are let pass."""

    choices: list[_Choice]
    usage: _Usage | None = Field(default_factory=_Usage)

    @classmethod
    def read(cls, content: bytes, url: str) -> Reply:
        """Parse a response's body; a :class:`Failure` worth a retry where it is not what was asked for."""
        try:
            return cls.model_validate_json(content)
        except ValidationError:
            start = content[:80].decode("utf-8", "replace").strip()
            raise Failure(f"{url} answered with something that is not a completion: {start!r}", retry=True) from None

    def completions(self, params: SamplingParams) -> list[Completion]:
        """The choices. One without usable text has ``finish_reason="error"``."""
        usage = self.usage or _Usage()
        return [_completion(choice, params, usage) for choice in self.choices]


def _completion(choice: _Choice, params: SamplingParams, usage: _Usage) -> Completion:
    text = choice.message.content if choice.message else choice.text
    ids, logprobs = choice.token_ids or [], choice.logprobs.values() if choice.logprobs else []
    reason = choice.finish_reason or "stop"
    unusable = reason in _REFUSED or text is None or (text == "" and reason in _LENGTH)
    return Completion(
        text=_cut(text or "", params.stop),
        token_ids=tuple(ids),
        logprobs=tuple(min(value, 0.0) for value in logprobs) if len(ids) == len(logprobs) else (),
        finish_reason="error" if unusable else "length" if reason in _LENGTH else "stop",
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
    )


def _cut(text: str, stop: Sequence[str]) -> str:
    """Some servers leave the stop string at the end of the text."""
    found = [at for item in stop if item and (at := text.find(item)) >= 0]
    return text[: min(found)] if found else text


def request_body(
    config: OpenAIConfig, prompt: str | Sequence[Message], params: SamplingParams, n: int, seed: int
) -> dict[str, Any]:
    """The JSON of one request: ``prompt`` is text for the completions interface, turns for the chat interface.

    Seeds are cut to 31 bits, which every server takes.
    """
    body: dict[str, Any] = {"model": config.model, "temperature": params.temperature, "top_p": params.top_p}
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
    return body | config.extra_body


def printable(text: str) -> str:
    """``text`` with half surrogate pairs replaced: they cannot be sent as UTF-8."""
    return text.encode("utf-8", "replace").decode()
