"""Kinds of models: answered for as transformers itself does, in a batch as alone, or refused by name at load."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agentr_core import Message, PolicyFailure, SampleRequest, SamplingParams, UsageError, create

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

pytestmark = pytest.mark.model

_MIXED = ["sliding_attention", "full_attention"]
_ALONE = "does not serve models of type '{}' (in a batch its logits are "
_RAISES = "does not serve models of type '{}' (a batch ends in "
_STATES = "does not serve models of type '{}' (it keeps other states than keys and values"

#: Those that sdpa does not serve, those whose sizes differ by layer, and some of the usual ones.
SERVED: dict[str, dict[str, object]] = {
    "gemma2": {"head_dim": 16, "sliding_window": 24, "query_pre_attn_scalar": 16},
    "gpt_oss": {"head_dim": 16, "num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 24},
    "gemma3n_text": {
        "head_dim": 16, "sliding_window": 24, "hidden_size_per_layer_input": 16, "laurel_rank": 8,
        "num_kv_shared_layers": 2, "num_hidden_layers": 4, "intermediate_size": [128] * 4,
        "layer_types": _MIXED * 2, "activation_sparsity_pattern": [0.0] * 4,
    },
    "phi3": {},
    "qwen3_moe": {"head_dim": 16, "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 64},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512},
    "opt": {"ffn_dim": 128, "word_embed_proj_dim": 64},
}  # fmt: skip

REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "mpt": (_ALONE, {"d_model": 64, "n_heads": 4, "n_layers": 2, "max_seq_len": 512}),
    "bloom": (_RAISES, {"n_layer": 2, "n_head": 4}),
    "falcon": (_RAISES, {"alibi": True, "new_decoder_architecture": False}),
    "lfm2": (_STATES, {"layer_types": ["conv", "full_attention"]}),
    "mamba": (_STATES, {"state_size": 8}),
    "rwkv": (_STATES, {"attention_hidden_size": 64}),
    "llama4_text": (
        _STATES,
        {"head_dim": 16, "num_local_experts": 2, "attention_chunk_size": 32, "intermediate_size_mlp": 128},
    ),
}

GREEDY = SamplingParams(temperature=0, max_tokens=12)


def conversation(number: int) -> list[Message]:
    words = "oak stick " * (1 + 5 * number)
    return [Message("system", "You craft things."), Message("user", f"Goal: craft {words}.")]


CONVERSATIONS = [conversation(number) for number in range(4)]


def made(make_model: Callable[..., Path], kind: str, settings: dict[str, object]) -> Path:
    from transformers import CONFIG_MAPPING

    if kind not in CONFIG_MAPPING:
        pytest.skip(f"this version of transformers knows no models of type '{kind}'")
    return make_model(kind, **settings)


def policy_of(folder: Path, **config: object):
    return create("policy", "transformers", model=str(folder), **{"device": "cpu", "threads": 1, **config})


def greedy(folder: Path, messages: list[Message]) -> list[int]:
    """What the model says by whole passes of transformers: no cache, no batch, no mask of ours."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    turns = [message.as_dict() for message in messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    ids = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    said: list[int] = []
    while len(said) < GREEDY.max_tokens and said[-1:] != [tokenizer.eos_token_id]:
        with torch.inference_mode():
            said.append(int(model(input_ids=torch.tensor([ids + said]), use_cache=False).logits[0, -1].argmax()))
    return said


@pytest.mark.parametrize("kind", SERVED)
def test_a_batch_is_answered_as_transformers_answers_each_alone(make_model, ask, kind: str):
    folder = made(make_model, kind, SERVED[kind])
    policy = policy_of(folder)
    for messages, drawn in zip(CONVERSATIONS, ask(policy, CONVERSATIONS, GREEDY), strict=True):
        assert [list(completion.token_ids) for completion in drawn] == [greedy(folder, messages)] * 3
    asyncio.run(policy.close())


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_answered_alike_in_a_batch_is_refused_by_name_at_load(make_model, kind: str):
    reason, settings = REFUSED[kind]
    folder = made(make_model, kind, settings)
    with pytest.raises(UsageError) as caught:
        policy_of(folder)
    said = str(caught.value)
    assert reason.format(kind) in said and "--policy openai" in said and "\n" not in said


def test_the_check_is_made_once_for_models_of_one_kind(make_model, monkeypatch: pytest.MonkeyPatch):
    from agentr_transformers import probe

    tried = []
    compare = probe._apart
    monkeypatch.setattr(probe, "_passed", set())
    monkeypatch.setattr(probe, "_apart", lambda *given: tried.append(1) or compare(*given))
    first, same, other = make_model(), make_model(), make_model(hidden_size=32)
    for folder in (first, same, other):
        policy_of(folder)
    assert len(tried) == 2


def test_sdpa_that_was_asked_for_and_is_not_there(make_model):
    folder = made(make_model, "gemma2", SERVED["gemma2"])
    with pytest.raises(
        UsageError, match=r"policy.attention: the model .* has no sdpa attention; use 'auto' or 'eager'"
    ):
        policy_of(folder, attention="sdpa")


LONG = {
    "max_position_embeddings": 512,
    "original_max_position_embeddings": 64,
    "rope_parameters": {
        "rope_type": "longrope", "short_factor": [1.0] * 8, "long_factor": [4.0] * 8,
        "original_max_position_embeddings": 64,
    },
}  # fmt: skip


def test_longrope_is_answered_up_to_the_length_at_which_a_batch_changes(make_model, ask):
    folder = make_model("phi3", **LONG)
    policy = policy_of(folder)
    assert policy.context_length == 64
    short, long = conversation(0)[1:], [Message("user", "oak stick " * 40)]
    alone = ask(policy, [short], GREEDY, n=1)[0]
    assert alone[0].token_ids == tuple(greedy(folder, short))
    with pytest.raises(PolicyFailure, match="reads at most 64"):
        ask(policy, [long], GREEDY, n=1)
    with pytest.raises(UsageError, match=r"must be at most 64 with this model .got 65.: beyond it, .* longrope"):
        policy_of(folder, context_length=65)


@pytest.mark.parametrize("kind", ["gpt2", "opt", "llama"])
@pytest.mark.parametrize("static", [False, True])
def test_a_row_that_has_ended_at_the_last_position_does_not_count_on(make_model, ask, kind: str, static: bool):
    sizes = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 64} if kind == "gpt2" else {}
    folder = make_model(
        kind, max_position_embeddings=64, **({"word_embed_proj_dim": 64} if kind == "opt" else {}), **sizes
    )
    policy = policy_of(folder, static_cache=static)
    words = next(n for n in range(1, 64) if 56 <= policy.count_tokens([Message("user", "x" * n)]) < 64)
    near, short = [Message("user", "x" * words)], [[Message("user", "x" * n)] for n in range(1, 6)]
    params = SamplingParams(temperature=0, max_tokens=24)
    requests = [SampleRequest(tuple(messages), params, 1, 0, "s") for messages in [near, *short]]
    # Asked for directly: a batch that fails would be tried again in halves.
    together, alone = policy.complete(requests), [policy.complete([request])[0] for request in requests]
    assert [each[0].token_ids for each in together] == [each[0].token_ids for each in alone]
    assert together[0][0].finish_reason == "length" and max(len(each[0].token_ids) for each in together) == 24
