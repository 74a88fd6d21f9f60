"""The client library, one client for each URL over one HTTP stack.

The stack is the aiohttp transport that the library offers (``openai[aiohttp]``, ``DefaultAioHttpClient``). Requests
beyond a server's ``concurrency`` wait in a semaphore in front of it, so that however many trees wait, the stack holds
no more than that.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from agentr_core import UsageError
from agentr_openai.config import OpenAIConfig
from agentr_openai.failures import Asked, Failure, error_inside, status_failure
from agentr_openai.listing import Listing, read_listing, right_urls
from agentr_openai.replies import Reply
from agentr_openai.values import filled_in, from_variables
from agentr_openai.wire import optional_fields

#: Sent where there is no key: servers of one's own mostly want none, and the library insists on one.
NO_KEY = "none"
#: Until a connection stands.
CONNECT_SECONDS = 10.0
#: Names of the errors, in any of the HTTP libraries, that mean that no connection came about.
_UNREACHED = frozenset({"ConnectError", "ConnectTimeout"})


class Connection:
    """Sends requests; every failure is a :class:`~agentr_openai.failures.Failure` without the key in it."""

    def __init__(self, config: OpenAIConfig) -> None:
        self._config = config
        self._key = read_key(config)
        self._hidden = [SecretStr(text) for text in from_variables(config.headers) + from_variables(config.query)]
        self._http = openai.DefaultAioHttpClient()
        self._headers: dict[str, Any] = dict(filled_in(config.headers, "headers"))
        if any(name.lower() == "api-key" for name in self._headers):
            self._headers["Authorization"] = (
                openai.Omit()
            )  # Azure's way: a second key beside it would be looked at first
        self._clients = {
            url: openai.AsyncOpenAI(
                base_url=url,
                api_key=self._key.get_secret_value(),
                http_client=self._http,
                default_query=filled_in(config.query, "query"),
                max_retries=0,  # retries may go to another server, so they are the policy's business
                # The library's time-out is between two bytes: a server that dribbles would never run into it.
                timeout=openai.Timeout(None, connect=CONNECT_SECONDS),
            )
            for url in config.base_url
        }

    async def ask(self, url: str, body: dict[str, Any]) -> Reply:
        """Send one request and read the whole answer; an error inside it is a failure like any other."""
        asked = self._asked(url, body)
        reply = Reply.read(await self._send(asked, lambda: self._post(url, body)), url)
        if error := reply.failed_with:
            raise error_inside(error, asked)
        return reply

    async def listing(self, url: str) -> Listing | None:
        """What the server says it serves; None where it does not say."""
        try:
            return read_listing(await self._send(self._asked(url, {}), lambda: self._models(self._clients[url])))
        except Failure as failure:
            if failure.retry or failure.status in (None, 401, 402):
                raise
            return None  # a wrong path, no such page, or a key that may not look

    async def load_adapter(self, url: str, name: str, path: str) -> str | None:
        """Have a vLLM server load an adapter from ``path``; None where it did, else what it says."""
        body = {"lora_name": name, "lora_path": path}
        options: Any = {"headers": self._headers}

        async def post() -> bytes:
            return (
                await self._clients[url].post("/load_lora_adapter", cast_to=str, body=body, options=options)
            ).encode()

        try:
            await self._send(self._asked(url, {}), post)
        except Failure as failure:
            return str(failure)
        return None

    async def right_url(self, url: str) -> str | None:
        """Another address of the same server that says what it serves, where ``url`` does not; None without one."""
        for other in right_urls(url):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    found = read_listing(await self._models(self._clients[url].with_options(base_url=other)))
            except Exception:  # this only adds to a message; whatever goes wrong here, the message stands
                continue
            if found is not None:
                return other
        return None

    async def page(self, url: str) -> str:
        """The text of a page of the server; empty where it has none. The key is not sent."""
        async with asyncio.timeout(CONNECT_SECONDS):
            response = await self._http.get(url)
            return response.text if response.status_code == 200 else ""

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def redacted(self, text: str) -> str:
        """``text`` without the key, or what else variables hold, should a server have sent it back."""
        for secret in (self._key, *self._hidden):
            if (value := secret.get_secret_value()) != NO_KEY:
                text = text.replace(value, "***")
        return text

    def _asked(self, url: str, body: dict[str, Any]) -> Asked:
        model = str(body.get("model", self._config.model))
        return Asked(url, model, self._config.api_key_env, optional_fields(body))

    async def _send(self, asked: Asked, request: Callable[[], Awaitable[bytes]]) -> bytes:
        url = asked.url
        try:
            async with asyncio.timeout(self._config.timeout):
                return await request()
        except TimeoutError:
            seconds = f"{self._config.timeout:g} s (openai.timeout)"
            raise Failure(f"{url} did not finish its answer within {seconds}", retry=True) from None
        except openai.APIStatusError as error:
            said = error.body or error.response.text
            raise status_failure(error.status_code, error.response.headers, said, asked) from None
        except openai.APIConnectionError as error:
            raise _broken(url, error) from None

    async def _post(self, url: str, body: Mapping[str, Any]) -> bytes:
        client, more = self._clients[url], self._headers
        # What the library calls extra is everything that need not go through its per-field conversion.
        if "prompt" in body:
            text = await client.completions.with_raw_response.create(
                model=body["model"], prompt=body["prompt"], extra_body=body, extra_headers=more
            )
            return text.http_response.content
        chat = await client.chat.completions.with_raw_response.create(
            model=body["model"], messages=[], extra_body=body, extra_headers=more
        )
        return chat.http_response.content

    async def _models(self, client: openai.AsyncOpenAI) -> bytes:
        return (await client.models.with_raw_response.list(extra_headers=self._headers)).http_response.content


def read_key(config: OpenAIConfig) -> SecretStr:
    """The key from its environment variable; :class:`~agentr_core.UsageError` where OpenAI's own server needs one."""
    key = os.environ.get(config.api_key_env, "").strip()
    if not key and any(str(urlsplit(url).hostname).endswith("openai.com") for url in config.base_url):
        raise UsageError(
            f"the environment variable {config.api_key_env} is not set; put your key into it, name another with "
            "openai.api_key_env, or name a server of your own with openai.base_url"
        )
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"the environment variable {config.api_key_env} holds characters that no key has")
    return SecretStr(key or NO_KEY)


def _broken(url: str, error: openai.APIConnectionError) -> Failure:
    causes = list(_causes(error))
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return Failure(f"{url} refuses connections: is the server running?", retry=True, down=True)
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return Failure(f"{url} cannot be reached: there is no such host", retry=True, down=True)
    if any(type(cause).__name__ in _UNREACHED for cause in causes):
        return Failure(f"{url} cannot be reached", retry=True, down=True)
    return Failure(f"{url} broke off in the middle of an answer", retry=True)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
