"""Configuration of the endpoint policy. The key itself is never part of it: only the name of its variable is."""

from __future__ import annotations

from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from agentr_core import PluginConfig

#: What the policy says itself; ``extra_body`` may not say it again.
OWN_FIELDS = frozenset({"model", "messages", "prompt", "n", "seed", "stream", "stop"})


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
        ("https://api.openai.com/v1",), min_length=1, description="one or several, usually ending in /v1"
    )
    api: Literal["chat", "completions"] = Field("chat", description="which interface is asked")
    api_key_env: str = Field("OPENAI_API_KEY", description="name of the environment variable that holds the key")
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
    token_ids: bool = Field(False, description="ask for token ids and logprobs (vLLM gives both)")
    extra_body: dict[str, Any] = Field(default_factory=dict, description="further fields of each request")
    tokenizer: str | None = Field(
        None,
        description="folder, hub id or short name; its tokenizer counts tokens, and renders api=completions's prompts",
    )
    context_length: int | None = Field(None, ge=2, description="tokens of prompt and completion; longer ones are cut")
    prices: Prices = Field(Prices(), description="what tokens cost")
    weights: str | None = Field(
        None, description="folder or hub id of the weights that the server has loaded: training starts there"
    )

    @field_validator("base_url", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("base_url")
    @classmethod
    def _plain_urls(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        for url in urls:
            parts = urlsplit(url)
            if parts.username or parts.password or parts.query:
                raise ValueError("must hold no user, password or query; the key goes into an environment variable")
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError("must be URLs such as http://127.0.0.1:8000/v1")
        return tuple(dict.fromkeys(url.rstrip("/") for url in urls))

    @model_validator(mode="after")
    def _consistent(self) -> OpenAIConfig:
        if taken := sorted(OWN_FIELDS & self.extra_body.keys()):
            raise ValueError(f"extra_body may not hold {', '.join(taken)}: the policy sets that itself")
        if self.api == "completions" and self.tokenizer is None:
            raise ValueError("api=completions needs tokenizer: a folder or hub id; its chat template makes the prompt")
        return self
