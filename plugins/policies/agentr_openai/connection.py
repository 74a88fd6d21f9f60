"""The client library, one client for each URL over one HTTP stack.

The stack is the aiohttp transport that the library offers (``openai[aiohttp]``, ``DefaultAioHttpClient``). Requests
beyond a server's ``concurrency`` wait in a semaphore in front of it, so that however many trees wait, the stack holds
no more than that.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import openai
from pydantic import SecretStr

from agentr_core import UsageError
from agentr_openai.config import OpenAIConfig
from agentr_openai.failures import Failure, status_failure
from agentr_openai.wire import Reply

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
        self._http = openai.DefaultAioHttpClient()
        self._clients = {
            url: openai.AsyncOpenAI(
                base_url=url,
                api_key=self._key.get_secret_value(),
                http_client=self._http,
                max_retries=0,  # retries may go to another server, so they are the policy's business
                # The library's time-out is between two bytes: a server that dribbles would never run into it.
                timeout=openai.Timeout(None, connect=CONNECT_SECONDS),
            )
            for url in config.base_url
        }

    async def ask(self, url: str, body: Mapping[str, Any]) -> Reply:
        """Send one request and read the whole answer."""
        return Reply.read(await self._send(url, body), url)

    async def models(self, url: str) -> list[str]:
        """What the server says it serves; nothing where it does not say."""
        try:
            async with asyncio.timeout(min(10.0, self._config.timeout)):
                return [str(model.id) for model in (await self._clients[url].models.list()).data]
        except Exception:  # this only adds to a message; whatever goes wrong here, the message stands
            return []

    async def page(self, url: str) -> str:
        """The text of a page of the server; empty where it has none. The key is not sent."""
        async with asyncio.timeout(CONNECT_SECONDS):
            response = await self._http.get(url)
            return response.text if response.status_code == 200 else ""

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def redacted(self, text: str) -> str:
        """``text`` without the key, should a server have sent it back."""
        key = self._key.get_secret_value()
        return text if key == NO_KEY else text.replace(key, "***")

    async def _send(self, url: str, body: Mapping[str, Any]) -> bytes:
        try:
            async with asyncio.timeout(self._config.timeout):
                return await self._post(url, body)
        except TimeoutError:
            seconds = f"{self._config.timeout:g} s (openai.timeout)"
            raise Failure(f"{url} did not finish its answer within {seconds}", retry=True) from None
        except openai.APIStatusError as error:
            raise self._refusal(url, error) from None
        except openai.APIConnectionError as error:
            raise _broken(url, error) from None

    async def _post(self, url: str, body: Mapping[str, Any]) -> bytes:
        client = self._clients[url]
        # What the library calls extra is everything that need not go through its per-field conversion.
        if "prompt" in body:
            text = await client.completions.with_raw_response.create(
                model=body["model"], prompt=body["prompt"], extra_body=body
            )
            return text.http_response.content
        chat = await client.chat.completions.with_raw_response.create(model=body["model"], messages=[], extra_body=body)
        return chat.http_response.content

    def _refusal(self, url: str, error: openai.APIStatusError) -> Failure:
        return status_failure(
            error.status_code,
            error.response.headers,
            error.body or error.response.text,
            url=url,
            model=self._config.model,
            key_env=self._config.api_key_env,
        )


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
