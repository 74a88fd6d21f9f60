"""Several engines: sessions stay, a killed one is started again, and no answer depends on which of them answers."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core import Completion, ConfigError, EngineLoad, Message, SampleRequest, SamplingParams, UsageError
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.seeds import derive_seed

from .conftest import TURNS, engines

#: One sequence at a time: in a batch rounding may decide a token. The prefix cache says who has answered a session.
SETTINGS: dict[str, Any] = {
    "model": "tiny", "dtype": "float32", "context_length": 512, "kv_cache_mb": 64, "max_num_seqs": 1, "engines": 2,
    "block_size": 32,
}  # fmt: skip
SESSIONS = [f"tree {number}" for number in range(6)]


@pytest.fixture(scope="module")
def two() -> Iterator[AnyPolicy]:
    """A policy with two engines; closed at the end by the last test, or here."""
    made: AnyPolicy = agentr_core.create("policy", "vllm", **SETTINGS)
    yield made
    asyncio.run(made.close())


def request(session: str, about: str = "Craft a stick out of planks. ") -> SampleRequest:
    """What a session asks; its seed comes from its name."""
    turns = (TURNS[0], Message("user", f"This is {session}. " + about * 12))
    return SampleRequest(turns, SamplingParams(max_tokens=8), n=2, seed=derive_seed(3, session), session=session)


def tokens(answered: list[Completion]) -> list[tuple[int, ...]]:
    return [each.token_ids for each in answered]


async def answers(policy: AnyPolicy, *about: str) -> list[list[tuple[int, ...]]]:
    """What every session is told, all asked at once."""
    found = await asyncio.gather(*(policy.sample(request(session, *about)) for session in SESSIONS))
    return [tokens(answered) for answered in found]


async def computing(policy: AnyPolicy, asked: asyncio.Future[Any]) -> None:
    """Wait until an engine is at work on what was asked."""
    while not (load := policy.engine_load()) or not load.busy:
        assert not asked.done()
        await asyncio.sleep(0.01)


def test_two_engines_say_what_one_says(two: AnyPolicy) -> None:
    """Asked one after the other, what belongs to no session goes to one engine, and no other is started."""
    before = engines()
    assert two.runs_on == "2 engines, on the CPU" and two.engine_load() is None

    async def scene() -> None:
        alone = [tokens(await two.sample(replace(request(session), session=""))) for session in SESSIONS]
        assert len(engines() - before) == 1
        room = two.engine_load()
        assert room is not None and room.kv_tokens is not None
        assert await answers(two) == alone
        assert len(engines() - before) == 2
        load = two.engine_load()
        assert load is not None and load.kv_tokens == room.kv_tokens, "the one that was not there yet counted as well"
        assert load.kv_used == 0.0 and load.busy == 0.0 and load.cached is not None

    asyncio.run(scene())
    if "OMP_NUM_THREADS" not in os.environ:
        share = f"OMP_NUM_THREADS={max(1, len(os.sched_getaffinity(0)) // 2)}".encode()
        assert all(share in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in engines() - before)


def test_each_session_finds_its_prefix_again(two: AnyPolicy) -> None:
    async def scene() -> None:
        about = "Mine some iron with a pickaxe. "
        first = await answers(two, about)
        again = [await two.sample(request(session, about)) for session in SESSIONS]
        assert all(each[0].cached_tokens > each[0].prompt_tokens // 2 for each in again), "asked at another engine"
        assert list(map(tokens, again)) == first

    asyncio.run(scene())


def test_a_killed_engine_is_started_again_and_the_other_goes_on(
    two: AnyPolicy, caplog: pytest.LogCaptureFixture
) -> None:
    async def scene() -> None:
        right = await answers(two)
        running = engines()
        asked = asyncio.ensure_future(answers(two))
        await computing(two, asked)
        os.kill(killed := max(running), signal.SIGKILL)
        assert await asked == right
        assert await answers(two) == right  # whoever of its sessions had been answered before asks it anew
        assert killed not in engines() and len(running & engines()) == len(running) - 1
        assert len(engines()) == len(running)

    asyncio.run(scene())
    died = [record.message for record in caplog.records if "died" in record.message]
    assert len(died) == 1 and died[0].endswith("of 2 of 'tiny' died; it is started again")


def test_closing_ends_both(two: AnyPolicy) -> None:
    running = engines()
    asyncio.run(two.close())
    gone = running - engines()
    assert len(gone) == 2 and not any(Path(f"/proc/{pid}").exists() for pid in gone)


def test_gpus_are_shared_out() -> None:
    from agentr_vllm.devices import shared_out, told, visible

    assert shared_out((), "auto", 1) == [None] and shared_out((), 3, 1) == [None] * 3
    assert shared_out(("0",), "auto", 1) == [None], "one engine is told nothing"
    assert shared_out("0123", "auto", 1) == [("0",), ("1",), ("2",), ("3",)]
    assert shared_out("0123", "auto", 2) == [("0", "1"), ("2", "3")]
    assert shared_out("012", "auto", 2) == [None] and shared_out("0123", 2, 1) == [("0",), ("1",)]
    assert told(shared_out("0123", "auto", 2), 2, on_cpu=False) == "2 engines, on the GPUs 0,1 and 2,3"
    assert told([None], 1, on_cpu=False) == "1 engine, on a GPU"
    assert told(shared_out("01", "auto", 2), 2, on_cpu=False) == "1 engine, on 2 GPUs"
    with pytest.raises(UsageError, match=r"vllm.engines=3 with 2 GPUs each .* needs 6 GPUs, and 4 can be used here"):
        shared_out("0123", 3, 2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-7f")
        assert visible("CUDA_VISIBLE_DEVICES", 8) == ("5", "GPU-7f")
        patch.delenv("CUDA_VISIBLE_DEVICES")
        assert visible("CUDA_VISIBLE_DEVICES", 2) == ("0", "1")


def test_loads_are_put_together() -> None:
    from agentr_vllm.load import Reading, load_of

    half, full = Reading(100, 0.5, 0.25, asked=10, held=1), Reading(300, 1.0, 1.0, asked=30, held=19)
    assert load_of([half, full], 2) == EngineLoad(kv_tokens=400, kv_used=0.75, busy=0.625, cached=0.5)
    assert load_of([half], 4) == EngineLoad(kv_tokens=400, kv_used=0.125, busy=0.0625, cached=0.1)
    assert load_of([Reading(None, 0.0, 0.0, asked=0, held=0)], 1) == EngineLoad(None, 0.0, 0.0, None)


def test_no_engines_are_refused() -> None:
    with pytest.raises(ConfigError, match="must be 'auto' or at least 1"):
        agentr_core.create("policy", "vllm", model="tiny", engines=0)
