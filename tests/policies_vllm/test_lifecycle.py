"""The engine's process: killed in the middle of requests, closed, and shared by adapters."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripted_runs import command, environment

import agentr_core
from agentr_core import Message, PolicyFailure, SamplingParams
from agentr_core.policy import AnyPolicy

from .conftest import MODEL, SHARED, TURNS

psutil = pytest.importorskip("psutil", reason="comes with vllm")

ALONE = {**SHARED, "lora": False}
PARAMS = SamplingParams(max_tokens=24)


@pytest.fixture(scope="module")
def own() -> Iterator[AnyPolicy]:
    """A policy with an engine of its own."""
    made: AnyPolicy = agentr_core.create("policy", "vllm", **ALONE)
    yield made
    asyncio.run(made.close())


def engines() -> set[int]:
    return {process.pid for process in multiprocessing.active_children() if process.pid}


async def ask_all(policy: AnyPolicy) -> list[list[tuple[int, ...]]]:
    turns = [(*TURNS[:1], Message("user", f"Goal {number}: craft a stick.")) for number in range(6)]
    asked = (policy.sample(each, n=2, params=PARAMS, session="s", seed=5) for each in turns)
    return [[answer.token_ids for answer in answers] for answers in await asyncio.gather(*asked)]


def test_requests_that_are_lost_with_the_engine_are_asked_again(own: AnyPolicy) -> None:
    async def alone() -> tuple[int, ...]:
        (answer,) = await own.sample(TURNS, n=1, params=PARAMS, session="s", seed=5)
        return answer.token_ids

    async def scene() -> None:
        before = engines()
        right = await alone()
        for work in (ask_all(own), alone()):
            (engine,) = engines() - before
            asked = asyncio.ensure_future(work)
            while not (load := own.engine_load()) or not load.busy:
                await asyncio.sleep(0.01)
            os.kill(engine, signal.SIGKILL)
            answers = await asked
            assert engine not in engines() and len(engines() - before) == 1
        # This one was in flight by itself, so that the rounding of batches decides nothing.
        assert answers == right

    asyncio.run(scene())


def test_closing_leaves_no_process_and_no_setting_behind(own: AnyPolicy) -> None:
    before, running = dict(os.environ), engines()

    async def scene() -> None:
        asked = asyncio.ensure_future(ask_all(own))
        while not (load := own.engine_load()) or not load.busy:
            await asyncio.sleep(0.01)
        await own.close()
        await own.close()
        with pytest.raises(PolicyFailure, match="was closed before it answered"):
            await asked

    asyncio.run(scene())
    gone = running - engines()
    assert len(gone) == 1
    assert not any(Path(f"/proc/{pid}").exists() for pid in gone)
    assert dict(os.environ) == before
    with pytest.raises(PolicyFailure, match="is closed and answers no more"):
        asyncio.run(own.sample(TURNS, n=1, params=PARAMS, session="s", seed=1))


@pytest.mark.parametrize("ending", ["killed", "forgotten"])
def test_a_program_that_ends_without_closing_leaves_no_engine_behind(ending: str) -> None:
    script = (
        "import asyncio, multiprocessing, agentr_core, sys\n"
        f"policy = agentr_core.create('policy', 'vllm', model={MODEL!r}, context_length=512, kv_cache_mb=256)\n"
        "turns, params = [agentr_core.Message('user', 'a')], agentr_core.SamplingParams(max_tokens=1)\n"
        "asyncio.run(policy.sample(turns, n=1, params=params, session='', seed=0))\n"
        "print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
        "sys.stdin.readline()\n"
    )
    program = subprocess.Popen([sys.executable, "-c", script], stdin=-1, stdout=-1, stderr=-1, text=True)
    assert program.stdout is not None
    engine = int(program.stdout.readline())
    if ending == "killed":
        program.kill()
    _, said = program.communicate()
    assert said == ""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(engine).wait(60)


def test_adapters_of_one_base_share_an_engine(policy: AnyPolicy, smollm2: Path, tmp_path: Path) -> None:
    """As the trainer leaves them: ``model/``, the adapter merged into it, and ``adapter/`` beside it."""
    model = trained(smollm2, tmp_path)
    asyncio.run(policy.score(TURNS, "get 1 oak log"))
    running = engines()
    plain = asyncio.run(policy.score(TURNS, "get 1 oak log"))
    served: AnyPolicy = agentr_core.create("policy", "vllm", **{**SHARED, "model": str(model)})
    adapted = asyncio.run(served.score(TURNS, "get 1 oak log"))
    merged: AnyPolicy = agentr_core.create("policy", "transformers", model=str(model), device="cpu", dtype="float32")
    expected = asyncio.run(merged.score(TURNS, "get 1 oak log"))
    asyncio.run(served.close())
    asyncio.run(merged.close())
    assert engines() == running, "no engine was started or ended"
    assert adapted == pytest.approx(expected, abs=0.05)
    assert max(abs(one - other) for one, other in zip(adapted, plain, strict=True)) > 0.2
    assert served.weights == str(model)
    with pytest.raises(agentr_core.UsageError, match=r"has rank 4, more than vllm\.lora_rank=2"):
        agentr_core.create("policy", "vllm", **{**SHARED, "model": str(model), "lora_rank": 2})


def trained(base: Path, out: Path) -> Path:
    """A model folder as the trainer leaves it after training adapters; the adapter's weights are random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    settings = LoraConfig(
        r=4, lora_alpha=64, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM"
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), settings)
    model.save_pretrained(out / "adapter")
    model.merge_and_unload().save_pretrained(out / "model")
    AutoTokenizer.from_pretrained(base).save_pretrained(out / "model")
    return out / "model"


def test_a_whole_search_ends_well_and_quietly(tmp_path: Path) -> None:
    done = subprocess.run(
        command(
            "run", "--env", "textcraft", "-o", "textcraft.world=synthetic", "--searcher", "mcts", "--policy", "vllm",
            "--model", MODEL, "--critic", "last", "--trainer", "none", "--tasks", "2", "--iterations", "1",
            "--eval-tasks", "2", "-o", "vllm.context_length=2048", "-o", "vllm.kv_cache_mb=1024",
            "-o", "mcts.simulations=1", "-o", "mcts.samples=2", "-o", "mcts.depth=2", "-o", "mcts.max_tokens=16",
            "-o", "evaluate.max_turns=2", "-o", "evaluate.max_tokens=16", "--no-revision-test",
        ),
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode in (0, 5), done.stderr
    assert "iter 1 search" in done.stderr
    assert not [line for line in done.stderr.splitlines() if "vllm." in line or "pid=" in line or "Warning" in line]
