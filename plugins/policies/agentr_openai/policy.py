"""The ``openai`` policy: any server with an OpenAI-compatible interface, or several of the same model."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentr_core import (
    AgentrError,
    BusyClock,
    Completion,
    EngineLoad,
    Message,
    Policy,
    PolicyFailure,
    SampleRequest,
    UsageError,
    derive_seed,
    gather_all,
)
from agentr_openai.config import OpenAIConfig, Prices
from agentr_openai.connection import Connection
from agentr_openai.failures import Failure
from agentr_openai.listing import is_folder
from agentr_openai.metrics import Monitor
from agentr_openai.prompt_size import PromptSizes
from agentr_openai.readiness import Readiness
from agentr_openai.replies import Reply
from agentr_openai.servers import Server, Servers
from agentr_openai.templates import Template
from agentr_openai.wire import request_body

logger = logging.getLogger("agentr.openai")


@dataclass(slots=True)
class Usage:
    """What the servers have counted so far; ``failures`` are attempts that failed."""

    requests: int = 0
    failures: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0

    def add(self, reply: Reply) -> None:
        """Count one answer."""
        self.requests += 1
        if reply.usage is not None:
            self.prompt_tokens += reply.usage.prompt_tokens
            self.cached_tokens += reply.usage.cached_tokens
            self.completion_tokens += reply.usage.completion_tokens

    def cost(self, prices: Prices) -> float:
        """Dollars."""
        cached = prices.prompt if prices.cached is None else prices.cached
        plain = (self.prompt_tokens - self.cached_tokens) * prices.prompt
        return (plain + self.cached_tokens * cached + self.completion_tokens * prices.completion) / 1e6


class OpenAIPolicy(Policy[OpenAIConfig]):
    """Asks servers; retries what may pass, moves a session on where its server is down.

    Answers are as reproducible as the server makes its ``seed``. Raises :class:`~agentr_core.UsageError` where the key
    or the model's name is wrong, and :class:`~agentr_core.PolicyFailure` for everything else.
    """

    config_class = OpenAIConfig

    def __init__(self, config: OpenAIConfig) -> None:
        super().__init__(config)
        self.usage = Usage()
        self._template = Template(config.tokenizer, self.template_options or {}) if config.tokenizer else None
        self._connection = Connection(config)
        self._readiness = Readiness(config, self._connection)
        self._sizes = PromptSizes(self._template.count if self._template else None)
        self._servers = Servers(config.base_url, config.concurrency, config.down_seconds)
        self._monitor = Monitor(config.base_url, config.concurrency, self._connection.page)
        self._busy = BusyClock()
        # Only spreads waits; no result depends on it.
        self._jitter = random.Random()
        self._closed = False

    @property
    def model(self) -> str:
        """The model's name at the server."""
        return self.config.model

    @property
    def weights(self) -> str | None:
        """The model's folder where its name is one (a checkpoint), else the ``weights`` of the configuration."""
        return self.config.model if is_folder(self.config.model) else self.config.weights

    @property
    def template_options(self) -> dict[str, Any] | None:
        """The ``chat_template_kwargs`` of ``extra_body``, as vLLM and SGLang call them; None where there are none."""
        return self.config.extra_body.get("chat_template_kwargs")

    @property
    def context_length(self) -> int | None:
        """The ``context_length`` of the configuration: a server does not tell."""
        return self.config.context_length

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """By ``openai.prices``; None where they are not set."""
        prices = self.config.prices
        if prices == Prices():
            return None
        return Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens).cost(prices)

    @property
    def busy_seconds(self) -> float:
        """Seconds in which at least one request was waited for."""
        return self._busy.seconds

    def engine_load(self) -> EngineLoad | None:
        """What the servers said a moment ago, where they are vLLM's; ``busy`` is the share of ``concurrency``."""
        return self._monitor.load()

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """The length of the prompt; a guess of four characters a token where no ``tokenizer`` is configured."""
        return self._template.count(messages) if self._template else super().count_tokens(messages)

    async def ready(self) -> None:
        """Look up whether the servers have the model; have it served or loaded where that can be done.

        Raises :class:`~agentr_core.UsageError` with what to type where another model would answer.
        """
        try:
            await self._readiness.ready()
        except Failure as failure:
            raise self._shown(failure) from None

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """``request.n`` completions, asked for at once where the server gives as many; see :meth:`Policy.sample`.

        A server that gives fewer, or refuses ``n``, is from then on asked for each with a seed of its own.
        """
        if self._closed:
            raise PolicyFailure(f"the policy '{self.model}' is closed and answers no more")
        if request.n < 1:
            return []
        if self.config.serve is not None:
            await self.ready()  # whoever asks: nothing answers before the command was started
        # Greedy samples are all the same, and some servers refuse to draw more than one.
        draws = request.n if request.params.temperature > 0 else 1
        with self._busy, self._monitor:
            answers = await self._answers(request, draws) * (request.n // draws)
        if all(answer.finish_reason == "error" for answer in answers):
            raise PolicyFailure(
                f"'{self.model}' gave {request.n} answers without text: a filter held them back, or "
                f"{request.params.max_tokens} tokens were too few for a model that reasons first; raise max_tokens"
            )
        return answers

    async def close(self) -> None:
        """Close all connections."""
        if not self._closed:
            self._closed = True
            self._monitor.stop()
            cost = f", ${self.usage.cost(self.config.prices):.4f}" if self.config.prices != Prices() else ""
            logger.info("%s: %s%s", self.model, self.usage, cost)
            await self._connection.close()
            await self._readiness.close()

    async def _answers(self, request: SampleRequest, n: int) -> list[Completion]:
        answers = (await self._request(request, n, 0))[:n]
        if rest := range(len(answers), n):
            more = await gather_all(self._request(request, 1, place) for place in rest)
            answers += [each[0] for each in more]
        return answers

    async def _request(self, request: SampleRequest, n: int, place: int) -> list[Completion]:
        """The answers to one request for ``n`` samples, the first of which is sample ``place`` of ``request``."""
        attempt = 0
        while True:
            server = self._servers.pick(request.session)
            try:
                reply = await self._ask(server, request, n, place)
            except Failure as failure:
                if "n" in failure.refused:
                    server.one_by_one = True  # it answers all else, and is asked for the rest afterwards
                    continue
                self.usage.failures += 1
                self._servers.failed(server, failure)
                if failure.status == 403 and server.answered:
                    failure.usage = False  # the key is good: it is this prompt that is refused
                if failure.down:
                    self._readiness.forget(server.url)
                await self._wait(server, failure, attempt)
                attempt += 1
                continue
            if reply is not None:
                self._servers.succeeded(server)
                self.usage.add(reply)
                self._sizes.compare(server.url, request.messages, reply.usage)
                return reply.completions(request.params)

    async def _ask(self, server: Server, request: SampleRequest, n: int, place: int) -> Reply | None:
        """One attempt; None where the server went down while the request waited for it, and there is another."""
        async with server.slot(self._servers.clock):
            if self._closed:
                raise PolicyFailure(f"the policy '{self.model}' was closed before it answered")
            if self._servers.is_down(server) and self._servers.others_up(server):
                return None
            name = await self._readiness.name(server.url)
            if self.config.n == "one" or "n" in self.config.omit or server.one_by_one:
                n = 1
            seed = derive_seed(request.seed, "sample", place) if place else request.seed
            body = request_body(self.config, name, self._prompt(request.messages), request.params, n, seed)
            reply = await self._connection.ask(server.url, body)
        if not reply.choices:
            raise Failure(f"{server.url} gave an answer without any choice", retry=True)
        server.one_by_one |= len(reply.choices) < n
        return reply

    async def _wait(self, server: Server, failure: Failure, attempt: int) -> None:
        """Until the next attempt; the error that the user sees where there is to be none."""
        asked = failure.wait or 0.0
        if not failure.retry or attempt >= self.config.retries or asked > self.config.max_wait:
            raise await self._error(server, failure, attempt + 1)
        if failure.wait is not None or (failure.down and self._servers.others_up(server)):
            return  # the server's own queue stands still as long as it asked; another server need not be waited for
        longest = min(self.config.max_wait, self.config.backoff * 2**attempt)
        await asyncio.sleep(longest * self._jitter.uniform(0.5, 1.0))

    async def _error(self, server: Server, failure: Failure, attempts: int) -> AgentrError:
        if not failure.retry:
            return self._shown(failure, await self._served(server) if failure.status == 404 else "")
        tries = f"{attempts} attempt{'s' * (attempts > 1)}"
        return self._shown(failure, f" ({tries}{f'; it asks to wait {failure.wait:.0f} s' if failure.wait else ''})")

    def _shown(self, failure: Failure, besides: str = "") -> AgentrError:
        """The error that the user sees."""
        return (UsageError if failure.usage else PolicyFailure)(self._connection.redacted(str(failure)) + besides)

    async def _served(self, server: Server) -> str:
        """What to do about a model, or a path, that the server does not know."""
        try:
            listing = await self._connection.listing(server.url)
        except Failure:  # this only adds to a message, which stands without it
            listing = None
        if listing is not None and listing.entries:
            return f"; it serves {listing}: name one with --model"
        if right := await self._connection.right_url(server.url):
            return f"; the interface is at another address: set openai.base_url={right}"
        return "; is openai.base_url right? It usually ends in /v1"

    def _prompt(self, messages: tuple[Message, ...]) -> str | tuple[Message, ...]:
        if self.config.api == "chat":
            return messages
        assert self._template is not None  # the configuration sees to it
        return self._template.render(messages)
