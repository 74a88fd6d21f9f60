"""The engine's process: killed in the middle of requests, closed, and never there at all."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import command, environment

import agentr_core
from agentr_core import Message, PolicyFailure, SampleRequest, SamplingParams
from agentr_core.interfaces.policy import AnyPolicy

from .conftest import TURNS, engines

psutil = pytest.importorskip("psutil", reason="comes with vllm")

ALONE: dict[str, Any] = {
    "model": "tiny", "dtype": "float32", "context_length": 512, "kv_cache_mb": 256,
    "engine": {"enable_prefix_caching": False},
}  # fmt: skip
PARAMS = SamplingParams(max_tokens=24)


@pytest.fixture(scope="module", params=[1, 16])
def own(request: pytest.FixtureRequest) -> Iterator[AnyPolicy]:
    """A policy with an engine of its own, which computes so many sequences at once."""
    made: AnyPolicy = agentr_core.create("policy", "vllm", **ALONE, max_num_seqs=request.param)
    yield made
    asyncio.run(made.close())


async def ask_all(policy: AnyPolicy) -> list[list[tuple[int, ...]]]:
    turns = [(*TURNS[:1], Message("user", f"Goal {number}: craft a stick.")) for number in range(6)]
    asked = (policy.sample(SampleRequest(each, PARAMS, n=2, seed=5, session="s")) for each in turns)
    return [[answer.token_ids for answer in answers] for answers in await asyncio.gather(*asked)]


async def computing(policy: AnyPolicy, asked: asyncio.Future[Any]) -> None:
    """Wait until its engine is at work on what was asked."""
    while not (load := policy.engine_load()) or not load.busy:
        assert not asked.done()
        await asyncio.sleep(0.01)


def test_requests_that_are_lost_with_the_engine_are_asked_again(own: AnyPolicy) -> None:
    async def scene() -> None:
        before = engines()
        right = await ask_all(own)
        (engine,) = engines() - before
        asked = asyncio.ensure_future(ask_all(own))
        await computing(own, asked)
        os.kill(engine, signal.SIGKILL)
        answers = await asked
        if own.config.max_num_seqs == 1:  # in a batch rounding may decide a token
            assert answers == right
        assert [len(each) for each in answers] == [2] * 6 and all(ids for each in answers for ids in each)
        assert engine not in engines() and len(engines() - before) == 1

    asyncio.run(scene())


def test_closing_leaves_no_process_and_no_setting_behind(own: AnyPolicy) -> None:
    before = dict(os.environ)

    async def scene() -> set[int]:
        asked = asyncio.ensure_future(ask_all(own))
        await computing(own, asked)
        running = engines()
        await own.close()
        await own.close()
        with pytest.raises(PolicyFailure, match="was closed before it answered"):
            await asked
        return running - engines()

    gone = asyncio.run(scene())
    assert len(gone) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in gone)
    assert dict(os.environ) == before
    with pytest.raises(PolicyFailure, match="is closed and answers no more"):
        asyncio.run(own.sample(SampleRequest(TURNS, PARAMS, seed=1, session="s")))


def test_a_program_that_ends_without_closing_leaves_no_engine_behind() -> None:
    script = (
        "import asyncio, multiprocessing, agentr_core, sys\n"
        "policy = agentr_core.create('policy', 'vllm', model='tiny', context_length=512, kv_cache_mb=256)\n"
        "turns, params = (agentr_core.Message('user', 'a'),), agentr_core.SamplingParams(max_tokens=1)\n"
        "asyncio.run(policy.sample(agentr_core.SampleRequest(turns, params)))\n"
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    # Both start at once, since starting takes nearly all of the time.
    killed, forgetful = (
        subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, stderr=-1, text=True) for _ in range(2)
    )
    with killed, forgetful:
        for program in (killed, forgetful):
            assert program.stdout is not None
            engine = int(program.stdout.readline())
            if program is killed:
                program.kill()
            _, said = program.communicate()
            assert said == ""
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(engine).wait(60)


def test_an_engine_that_cannot_start_says_why_and_leaves_the_terminal_alone() -> None:
    # A script without a guard around its main part, as users write them.
    script = (
        "import asyncio, agentr_core\n"
        "policy = agentr_core.create('policy', 'vllm', model='tiny', kv_cache_mb=4)\n"
        "request = agentr_core.SampleRequest((agentr_core.Message('user', 'a'),))\n"
        "async def scene():\n"
        "    for _ in range(2):\n"
        "        try: await policy.sample(request)\n"
        "        except agentr_core.AgentrError as error: print(int(error.exit_code), error)\n"
        "    await policy.close()\n"
        "asyncio.run(scene())\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "AGENTR_DEBUG"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and lines[0] == lines[1], done.stdout
    assert lines[0].startswith("2 vLLM cannot serve '") and "KV cache" in lines[0]
    assert done.stderr == ""


def test_a_whole_search_ends_well_and_quietly(tmp_path: Path) -> None:
    done = subprocess.run(
        command(
            "run", "--env", "textcraft", "-o", "textcraft.world=synthetic", "--searcher", "mcts", "--policy", "vllm",
            "--model", "tiny", "--critic", "last", "--trainer", "none", "--tasks", "2", "--iterations", "1",
            "--eval-tasks", "2", "-o", "vllm.context_length=2048", "-o", "vllm.kv_cache_mb=256",
            "-o", "mcts.simulations=1", "-o", "mcts.samples=2", "-o", "mcts.depth=2", "-o", "mcts.max_tokens=16",
            "-o", "evaluate.max_turns=2", "-o", "evaluate.max_tokens=16", "--no-revision-test",
        ),
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode in (0, 5), done.stderr
    assert "iter 1 search" in done.stderr
    assert not [line for line in done.stderr.splitlines() if "vllm." in line or "pid=" in line or "Warning" in line]
