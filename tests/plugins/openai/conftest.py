"""Asks the policy ``openai`` through the real client library, at servers on this machine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from endpoint import Endpoint
from openai_asking import KEY, QUICK, TURNS, Ask

import agentr_core
from agentr_core import Completion, SampleRequest, SamplingParams

pytest.importorskip("openai", reason="needs the extra agentr-core[openai]")
pytest.importorskip("aiohttp", reason="needs the extra agentr-core[openai]")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def ask() -> Ask:
    """One question to one server with the given settings."""

    def ask(
        server: Endpoint,
        *,
        n: int = 1,
        seed: int = 1,
        params: SamplingParams | None = None,
        samples: str = "auto",
        **settings: Any,
    ) -> list[Completion]:
        async def scene() -> list[Completion]:
            policy = agentr_core.create(
                "policy", "openai", **{**QUICK, "base_url": server.url, "n": samples, **settings}
            )
            try:
                request = SampleRequest(TURNS, params or SamplingParams(), n, seed, "tree")
                answers: list[Completion] = await policy.sample(request)
                return answers
            finally:
                await policy.close()

        return asyncio.run(scene())

    return ask
