"""The policies of iteration after iteration: what one took is there for the next."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from resident import STATM, resident

from agentr_core import Message, SampleRequest, SamplingParams, create
from agentr_core.process.garbage import release_memory

pytestmark = pytest.mark.model
TALK = (Message("system", "You answer."), Message("user", "Say something. " * 20))


def swap(folder: Path, device: str) -> None:
    """What a run does with the model of one iteration."""

    async def act() -> None:
        policy = create("policy", "transformers", model=str(folder), device=device, prefix_cache_mb=32)
        await policy.sample(SampleRequest(TALK, SamplingParams(max_tokens=8), n=4, session="1"))
        await policy.close()

    asyncio.run(act())
    release_memory()


@pytest.mark.skipif(not STATM.exists(), reason="resident memory is read from /proc")
def test_policies_swapped_in_one_after_another_take_the_memory_of_one(make_model) -> None:
    folder = make_model(hidden_size=512, intermediate_size=2048, num_hidden_layers=6)
    weights = (folder / "model.safetensors").stat().st_size
    assert weights > 60e6
    swap(folder, "cpu")
    swap(folder, "cpu")
    before = resident()
    for _ in range(5):
        swap(folder, "cpu")
    assert resident() - before < weights, "five models came and went"


def test_a_gpu_is_as_empty_as_before(make_model) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("there is no GPU")
    folder = make_model(hidden_size=512, intermediate_size=2048, num_hidden_layers=6)
    swap(folder, "cuda")
    before = torch.cuda.memory_allocated()
    for _ in range(3):
        swap(folder, "cuda")
    assert torch.cuda.memory_allocated() <= before


def test_the_prefix_cache_takes_a_share_of_what_is_free(random_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentr_transformers import memory

    def room(**options: int) -> int:
        policy = create("policy", "transformers", model=str(random_llama), device="cpu", **options)
        tokens = policy.engine_load().kv_tokens
        asyncio.run(policy.close())
        return int(tokens) * 2 * 2 * 2 * 16 * 4 // memory.MB  # layers, keys and values, heads, numbers, bytes

    free = memory.free_memory()
    assert free is None or 0 < free < 1 << 50
    monkeypatch.setattr(memory, "free_memory", lambda: 400 * memory.MB)
    assert room() == 100 and room(prefix_cache_mb=32) == 32
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    assert room() == 512
