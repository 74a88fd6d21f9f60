"""Configuration of the endpoint policy. The key itself is never part of it: only the name of its variable is."""

from __future__ import annotations

import shlex
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from agentr_core import PluginConfig
from agentr_openai.values import names, plain_url, table, with_base_url, without_secrets

#: What the policy says itself; ``extra_body`` may not say it again.
OWN_FIELDS = frozenset({"model", "messages", "prompt", "n", "seed", "stream", "stop"})
#: What may be left out of a request.
OPTIONAL_FIELDS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "seed", "stop", "n"),
    *("logprobs", "return_token_ids"),
)
OPENAI_URL = "https://api.openai.com/v1"


class Prices(PluginConfig):
    """Dollars for a million tokens."""

    prompt: float = Field(default=0.0, ge=0.0, description="dollars for a million prompt tokens")
    completion: float = Field(default=0.0, ge=0.0, description="dollars for a million generated tokens")
    cached: float | None = Field(
        default=None, ge=0.0, description="the same for cached prompt tokens (default: prompt)"
    )


class OpenAIConfig(PluginConfig):
    """Which server answers, how it is asked, and how much patience there is."""

    argument: ClassVar[str | None] = "base_url"

    model: str = Field(min_length=1, description="the model's name at the server")
    base_url: tuple[str, ...] = Field(
        (OPENAI_URL,),
        min_length=1,
        description="one or several, usually ending in /v1 (where it is not set: the variable OPENAI_BASE_URL)",
    )
    api: Literal["chat", "completions"] = Field("chat", description="which interface is asked")
    api_key_env: str = Field("OPENAI_API_KEY", description="name of the environment variable that holds the key")
    headers: dict[str, str] = Field(
        default_factory=dict, description="further HTTP headers; ${NAME} is that environment variable"
    )
    query: dict[str, str] = Field(
        default_factory=dict, description="parameters of every URL, such as Azure's api-version; ${NAME} as in headers"
    )
    concurrency: int = Field(64, ge=1, le=1000, description="requests in flight at each URL")
    retries: int = Field(8, ge=0, description="further attempts after a failure that may pass")
    backoff: float = Field(0.5, ge=0.0, description="seconds before the first of them; doubles each time")
    max_wait: float = Field(60.0, ge=0.0, description="seconds; a server that asks for a longer wait fails")
    timeout: float = Field(300.0, gt=0.0, description="seconds for one answer, from the first byte sent to the last")
    down_seconds: float = Field(30.0, ge=0.0, description="how long a URL that does not answer is left out")
    n: Literal["auto", "one"] = Field(
        "auto", description="'auto' asks for all samples in one request; 'one' for each in a request of its own"
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="what the server calls the limit"
    )
    omit: tuple[str, ...] = Field((), description=f"fields that are not sent, of {', '.join(OPTIONAL_FIELDS)}")
    token_ids: bool = Field(False, description="ask for token ids and logprobs (vLLM gives both)")
    extra_body: dict[str, Any] = Field(default_factory=dict, description="further fields of each request")
    tokenizer: str | None = Field(
        None,
        description="folder, hub id or short name; its tokenizer counts tokens, and renders api=completions's prompts",
    )
    context_length: int | None = Field(None, ge=2, description="tokens of prompt and completion; longer ones are cut")
    prices: Prices = Field(Prices(), description="what tokens cost")
    weights: str | None = Field(
        None,
        description="folder or hub id of the weights that the server has loaded: training starts there, "
        "unless the model's own name is a folder",
    )
    check_model: bool = Field(
        True,
        description="look before each use whether the server lists the model; false believes it "
        "(a model that is a folder, such as a checkpoint, is looked up all the same)",
    )
    serve: str | None = Field(
        None,
        description="command that serves {model} at base_url, e.g. 'vllm serve {model} --port {port}': started where "
        "the server does not have the model, ended after use",
    )
    serve_timeout: float = Field(900.0, gt=0.0, description="seconds until that command must list the model")

    @model_validator(mode="before")
    @classmethod
    def _urls(cls, values: Any) -> Any:
        return with_base_url(values) if isinstance(values, dict) else values

    @field_validator("base_url", "omit", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return names(value)

    @field_validator("headers", "query", "extra_body", mode="before")
    @classmethod
    def _tables(cls, value: Any) -> Any:
        return table(value)

    @field_validator("headers", "query")
    @classmethod
    def _no_secrets(cls, values: dict[str, str]) -> dict[str, str]:
        return without_secrets(values)

    @field_validator("base_url")
    @classmethod
    def _plain_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(plain_url(url) for url in urls))

    @field_validator("omit")
    @classmethod
    def _known_fields(cls, fields: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := sorted(set(fields) - set(OPTIONAL_FIELDS)):
            raise ValueError(f"cannot leave out {', '.join(unknown)}; choose of {', '.join(OPTIONAL_FIELDS)}")
        return fields

    @field_validator("serve")
    @classmethod
    def _a_command(cls, command: str | None) -> str | None:
        if command is not None and "{model}" not in command:
            raise ValueError("must hold {model}, e.g. 'vllm serve {model} --port {port}'")
        if command is not None:
            shlex.split(command)  # a ValueError here says which quote is missing
        return command

    @model_validator(mode="after")
    def _consistent(self) -> OpenAIConfig:
        if taken := sorted(OWN_FIELDS & self.extra_body.keys()):
            raise ValueError(f"extra_body may not hold {', '.join(taken)}: the policy sets that itself")
        if both := sorted(set(self.omit) & self.extra_body.keys()):
            raise ValueError(f"extra_body sets {', '.join(both)}, which omit leaves out; keep one of the two")
        if self.api == "completions" and self.tokenizer is None:
            raise ValueError("api=completions needs tokenizer: a folder or hub id; its chat template makes the prompt")
        if self.serve is not None and (len(self.base_url) > 1 or self.base_url == (OPENAI_URL,)):
            raise ValueError("serve needs one base_url, where the command listens, e.g. http://127.0.0.1:8000/v1")
        return self

    @property
    def port(self) -> int:
        """The port of the first base URL."""
        parts = urlsplit(self.base_url[0])
        return parts.port or (443 if parts.scheme == "https" else 80)
