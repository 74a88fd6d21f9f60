"""What comes back, as the OpenAI API reference has it and as servers write it: what is not needed may be anything."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator

from agentr_core import Completion, SamplingParams
from agentr_openai.failures import Failure
from agentr_openai.messages import Said, said_in
from agentr_openai.wire import printable

#: Finish reasons that mean an answer was cut off by its length; all but these and ``_REFUSED`` are an ordinary end.
_LENGTH = frozenset({"length", "max_tokens", "model_length"})
_REFUSED = frozenset({"content_filter", "error", "abort"})
_Kind = TypeVar("_Kind")


def _or_none(value: Any, read: ValidatorFunctionWrapHandler) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


def _count(value: Any) -> int:
    """A number of tokens; 0 where the server wrote something else."""
    known = isinstance(value, int | float) and math.isfinite(value)
    return max(0, int(value)) if known else 0


Lenient = Annotated[_Kind | None, WrapValidator(_or_none)]
Count = Annotated[int, BeforeValidator(_count)]


class _Details(BaseModel):
    cached_tokens: Count = 0
    reasoning_tokens: Count = 0


class TokenCounts(BaseModel):
    """What the server counted; 0 where it said nothing that is a number."""

    prompt_tokens: Count = 0
    completion_tokens: Count = 0
    prompt_tokens_details: Lenient[_Details] = None
    completion_tokens_details: Lenient[_Details] = None

    @property
    def cached_tokens(self) -> int:
        """Prompt tokens out of its cache."""
        return self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else 0

    @property
    def reasoning_tokens(self) -> int:
        """Tokens of an answer that are no part of its text."""
        return self.completion_tokens_details.reasoning_tokens if self.completion_tokens_details else 0


class _Token(BaseModel):
    logprob: Lenient[float] = None


class _Logprobs(BaseModel):
    """The chat interface has ``content``, the completions interface ``token_logprobs``; some servers mix them up."""

    content: Lenient[list[_Token]] = None
    token_logprobs: Lenient[list[Lenient[float]]] = None

    def values(self) -> list[float]:
        """Those that are numbers: where one is missing, there are fewer than tokens, and none is used."""
        given = [token.logprob for token in self.content] if self.content else self.token_logprobs or []
        return [value for value in given if value is not None and not math.isnan(value)]


class Choice(BaseModel):
    """One of the answers."""

    message: Lenient[dict[str, Any]] = None
    text: Lenient[str] = None
    finish_reason: Lenient[str] = None
    logprobs: Lenient[_Logprobs] = None
    token_ids: Lenient[list[int]] = None
    error: Any = None

    @property
    def said(self) -> Said:
        """Text and reasoning."""
        return said_in(self.message) if self.message is not None else Said(self.text, "")


class Reply(BaseModel):
    """The answer to one request; fields that are not read here are let pass."""

    choices: Lenient[list[Choice]] = None
    usage: Lenient[TokenCounts] = Field(default_factory=TokenCounts)
    error: Any = None

    @classmethod
    def read(cls, content: bytes, url: str) -> Reply:
        """Parse a response's body; a :class:`Failure` worth a retry where it is not what was asked for."""
        try:
            body = _parsed(content.decode("utf-8-sig", "replace"))
        except (ValueError, RecursionError):
            raise _no_completion(content, url) from None
        if not isinstance(body, dict):
            raise _no_completion(content, url)
        bare = not body.keys() & {"choices", "error"} and body.keys() & {"detail", "code"}
        if bare or body.get("object") == "error":
            return cls(error=body)
        if not body.get("error") and not _answers(body.get("choices", "none")):
            raise _no_completion(content, url)
        return cls.model_validate(body)

    @property
    def failed_with(self) -> Any:
        """The error that came in place of every answer; None where something was answered."""
        choices = self.choices or []
        if any(choice.said.text for choice in choices):
            return None
        inside = [choice.error for choice in choices if choice.error]
        return self.error or (inside[0] if inside and len(inside) == len(choices) else None)

    def completions(self, params: SamplingParams) -> list[Completion]:
        """The choices, but those that are an error. One without usable text has ``finish_reason="error"``."""
        usage = self.usage or TokenCounts()
        told = [choice for choice in self.choices or () if not choice.error or choice.said.text]
        return [_completion(choice, params, usage) for choice in told]


def _parsed(text: str) -> Any:
    """JSON, with half surrogate pairs replaced: neither a database nor another request could take them."""
    body = json.loads(text)
    return json.loads(printable(json.dumps(body, ensure_ascii=False))) if "\\ud" in text.lower() else body


def _answers(choices: Any) -> bool:
    """Whether this is a list of answers, or the absence of one."""
    if choices is None:
        return True
    known = isinstance(choices, list) and all(isinstance(choice, Mapping) for choice in choices)
    return known and all(choice.keys() & {"message", "text", "error"} for choice in choices)


def _no_completion(content: bytes, url: str) -> Failure:
    start = content[:80].decode("utf-8", "replace").strip()
    return Failure(f"{url} answered with something that is not a completion: {start!r}", retry=True)


def _completion(choice: Choice, params: SamplingParams, usage: TokenCounts) -> Completion:
    said, reason = choice.said, choice.finish_reason or "stop"
    ids, logprobs = choice.token_ids or [], choice.logprobs.values() if choice.logprobs else []
    # A model that only reasoned was cut off, or left its turn empty: both are answers.
    thought = bool(said.reasoning) or usage.reasoning_tokens > 0
    silent = said.text is None or (said.text == "" and reason in _LENGTH)
    unusable = reason in _REFUSED or (silent and not thought)
    return Completion(
        text=_cut(said.text or "", params.stop),
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
