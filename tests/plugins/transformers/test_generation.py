"""Generation against the reference: transformers' own greedy ``generate`` and full forward passes, in float32."""

from __future__ import annotations

import asyncio
import os
import warnings
from pathlib import Path

import pytest

from agentr_core import Completion, Message, PolicyFailure, SampleRequest, SamplingParams, create

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

pytestmark = pytest.mark.model


def conversation(number: int) -> list[Message]:
    """Conversations of very different lengths."""
    turns = [Message("system", "You craft things."), Message("user", f"Goal: craft {'oak stick ' * (1 + 6 * number)}.")]
    for _ in range(number % 3):
        turns += [Message("assistant", "Thought: logs.\nAction: get 2 oak log"), Message("user", "Got 2 oak log")]
    return turns


CONVERSATIONS = [conversation(number) for number in range(6)]
GREEDY = SamplingParams(temperature=0, max_tokens=24)
DRAWN = SamplingParams(temperature=1, max_tokens=24)


#: On a GPU as well: AGENTR_TEST_DEVICE=cuda.
DEVICE = os.environ.get("AGENTR_TEST_DEVICE", "cpu")


def policy_of(folder: Path, **config: object):
    settings = {"device": DEVICE, "dtype": "float32", "threads": 1, **config}
    return create("policy", "transformers", model=str(folder), **settings)


def reference(folder: Path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), AutoTokenizer.from_pretrained(folder)


def prompt_ids(tokenizer, messages: list[Message]) -> list[int]:
    turns = [message.as_dict() for message in messages]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def ids_of(answers: list[list[Completion]]) -> list[list[tuple[int, ...]]]:
    return [[completion.token_ids for completion in completions] for completions in answers]


def flat(answers: list[list[Completion]]) -> list[Completion]:
    return [completion for completions in answers for completion in completions]


def assert_greedy_equals_generate(folder: Path, ask, cache: int, **config: object) -> None:
    policy = policy_of(folder, prefix_cache_mb=cache, **config)
    model, tokenizer = reference(folder)
    for _ in range(2):  # the second time out of the prefix cache
        for messages, drawn in zip(CONVERSATIONS, ask(policy, CONVERSATIONS, GREEDY), strict=True):
            ids = torch.tensor([prompt_ids(tokenizer, messages)])
            expected = model.generate(ids, do_sample=False, max_new_tokens=24)[0, ids.shape[1] :].tolist()
            assert [list(completion.token_ids) for completion in drawn] == [expected] * 3
            assert drawn[0].prompt_tokens == ids.shape[1] == policy.count_tokens(messages)
    asyncio.run(policy.close())


@pytest.mark.parametrize("cache", [0, 4])
@pytest.mark.parametrize("static", [False, True])
def test_greedy_equals_generate(random_llama: Path, ask, cache: int, static: bool):
    assert_greedy_equals_generate(random_llama, ask, cache, static_cache=static)


def test_greedy_equals_generate_for_tiny(tiny: Path, ask):
    assert_greedy_equals_generate(tiny, ask, 4)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("mistral", {"sliding_window": 24}),
        ("gemma3_text", {"sliding_window": 24, "num_hidden_layers": 6, "head_dim": 16}),
        ("qwen3", {"head_dim": 16}),
        ("gpt2", {}),
        ("gpt_neox", {}),
    ],
)
def test_other_architectures_and_sliding_windows(make_model, ask, kind: str, settings: dict[str, object]):
    folder = make_model(kind, **settings)
    assert_greedy_equals_generate(folder, ask, 4)
    assert_greedy_equals_generate(folder, ask, 4, static_cache=True)  # taken where the model has no windows


@pytest.mark.parametrize("length", [24, 150])
def test_buffers_of_a_fixed_size_change_nothing(random_llama: Path, ask, length: int):
    params = SamplingParams(max_tokens=length, stop=("ra",))
    growing, fixed = (policy_of(random_llama, static_cache=static) for static in (False, True))
    answers = ask(fixed, CONVERSATIONS, params, n=5)
    assert ids_of(answers) == ids_of(ask(growing, CONVERSATIONS, params, n=5))
    lengths = {len(completion.token_ids) for completion in flat(answers)}
    assert len(lengths) > 5 and max(lengths) == length  # rows ended one after another, and the buffers had to grow


@pytest.mark.parametrize("cache", [0, 4])
def test_the_batch_changes_nothing(random_llama: Path, ask, cache: int):
    together = policy_of(random_llama, prefix_cache_mb=cache)
    single = policy_of(random_llama, prefix_cache_mb=0, prefill_tokens=1, batch_mb=1)
    assert ids_of(ask(together, CONVERSATIONS, DRAWN)) == ids_of(ask(single, CONVERSATIONS, DRAWN, alone=True))
    again = ask(together, CONVERSATIONS[::-1], DRAWN)  # other seeds, other neighbours
    assert ids_of(again) == ids_of(ask(single, CONVERSATIONS[::-1], DRAWN, alone=True))


def test_the_model_is_called_as_its_library_wants_it_now(random_llama: Path, ask):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        ask(policy_of(random_llama), CONVERSATIONS[:1], DRAWN)
    assert [str(warning.message) for warning in seen] == []


def test_the_prefix_cache_is_used_and_changes_nothing(random_llama: Path, ask):
    cached, plain = policy_of(random_llama, prefix_cache_mb=4), policy_of(random_llama, prefix_cache_mb=0)
    grown = [[*messages, Message("assistant", "Action: look"), Message("user", "ok")] for messages in CONVERSATIONS]
    for prompts in (CONVERSATIONS, grown, grown):
        answers, expected = ask(cached, prompts, DRAWN), ask(plain, prompts, DRAWN)
        assert ids_of(answers) == ids_of(expected)
        assert all(completion.cached_tokens == 0 for completion in flat(expected))
    assert all(drawn[0].cached_tokens > drawn[0].prompt_tokens - 17 for drawn in answers)


def test_a_prefix_cache_too_small_for_the_batch_changes_nothing(random_llama: Path, ask, monkeypatch):
    from agentr_transformers import memory

    monkeypatch.setattr(memory, "MB", 16 * 1024)  # a few blocks in all
    cached = policy_of(random_llama, prefix_cache_mb=5)
    plain = policy_of(random_llama, prefix_cache_mb=0)
    for seed in range(3):
        assert ids_of(ask(cached, CONVERSATIONS, DRAWN, seed=seed)) == ids_of(
            ask(plain, CONVERSATIONS, DRAWN, seed=seed)
        )


def test_prompts_of_one_batch_share_what_is_new(random_llama: Path, ask):
    policy = policy_of(random_llama, prefix_cache_mb=4)
    head = [Message("system", "You craft things. " * 10)]
    answers = ask(policy, [[*head, Message("user", f"craft {'stick ' * count}")] for count in range(1, 9)], DRAWN)
    assert [drawn[0].cached_tokens == 0 for drawn in answers] == [False] * 7 + [True]


def test_logprobs_are_those_of_a_full_pass(random_llama: Path, ask):
    policy = policy_of(random_llama)
    model, tokenizer = reference(random_llama)
    params = SamplingParams(temperature=0.7, top_p=0.9, max_tokens=24)
    for messages, drawn in zip(CONVERSATIONS, ask(policy, CONVERSATIONS, params), strict=True):
        prompt = prompt_ids(tokenizer, messages)
        for completion in drawn:
            with torch.no_grad():
                logits = model(torch.tensor([[*prompt, *completion.token_ids]])).logits[0, len(prompt) - 1 : -1]
            expected = logits.log_softmax(-1).gather(1, torch.tensor(completion.token_ids)[:, None])[:, 0]
            assert torch.tensor(completion.logprobs) == pytest.approx(expected, abs=1e-4)


def test_score_equals_the_logprobs_of_what_was_said(random_llama: Path):
    policy = policy_of(random_llama)
    model, tokenizer = reference(random_llama)
    prompt, text = prompt_ids(tokenizer, CONVERSATIONS[2]), "Action: get 2 oak log"
    said = tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *said]])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    expected = logits.gather(1, torch.tensor(said)[:, None])[:, 0].tolist()
    assert asyncio.run(policy.score(CONVERSATIONS[2], text)) == pytest.approx(expected, abs=1e-4)


def test_samples_differ_and_are_drawn_again_by_their_seed(random_llama: Path, ask):
    policy = policy_of(random_llama)
    ten = ask(policy, CONVERSATIONS[:1], DRAWN, n=10, seed=5)[0]
    assert len({completion.token_ids for completion in ten}) == 10
    assert ids_of([ask(policy, CONVERSATIONS[:1], DRAWN, n=4, seed=5)[0]])[0] == ids_of([ten])[0][:4]
    assert ask(policy, CONVERSATIONS[:1], DRAWN, n=1, seed=6)[0][0].token_ids != ten[0].token_ids


def test_each_row_has_its_own_parameters(random_llama: Path):
    policy = policy_of(random_llama)
    kinds = [GREEDY, DRAWN, SamplingParams(temperature=0.5, max_tokens=3), SamplingParams(top_p=0.3, max_tokens=9)]

    async def one(number: int, params: SamplingParams) -> list[Completion]:
        return await policy.sample(SampleRequest(tuple(CONVERSATIONS[number]), params, n=2, seed=number))

    async def together() -> list[list[Completion]]:
        return await asyncio.gather(*(one(number, params) for number, params in enumerate(kinds)))

    alone = [asyncio.run(one(number, params)) for number, params in enumerate(kinds)]
    assert ids_of(asyncio.run(together())) == ids_of(alone)


def test_max_tokens_is_a_length_finish(random_llama: Path, ask):
    drawn = ask(policy_of(random_llama), CONVERSATIONS, SamplingParams(max_tokens=5))
    for completion in flat(drawn):
        assert len(completion.token_ids) == len(completion.logprobs)
        if completion.finish_reason == "length":
            assert len(completion.token_ids) == 5 and 2 not in completion.token_ids
    assert {completion.finish_reason for completion in flat(drawn)} >= {"length"}


def test_the_end_of_turn_token_stops_and_is_not_in_the_text(random_llama: Path, ask):
    drawn = ask(policy_of(random_llama), CONVERSATIONS, SamplingParams(max_tokens=60), n=8)
    stopped = [completion for completion in flat(drawn) if completion.finish_reason == "stop"]
    assert stopped
    for completion in stopped:
        assert completion.token_ids[-1] == 2 and completion.token_ids.count(2) == 1
        assert "<|im_end|>" not in completion.text


def test_stop_strings_cut_the_text_and_end_the_draw(random_llama: Path, ask):
    policy = policy_of(random_llama)
    free = ask(policy, CONVERSATIONS, DRAWN)
    for stop in ("a", "ra", "é"):
        cut = ask(policy, CONVERSATIONS, DRAWN.model_copy(update={"stop": (stop, "never said")}))
        for before, after in zip(flat(free), flat(cut), strict=True):
            assert after.token_ids == before.token_ids[: len(after.token_ids)]
            assert after.text == before.text.partition(stop)[0]
            if stop in before.text:
                assert after.finish_reason == "stop"
                assert stop in policy._prompts.decode(after.token_ids)
                assert stop not in policy._prompts.decode(after.token_ids[:-1])


def test_a_prompt_too_long_fails_alone(random_llama: Path):
    policy = policy_of(random_llama, context_length=200)

    async def run() -> list[object]:
        prompts = [CONVERSATIONS[0], [Message("user", "stick " * 300)]]
        asked = (policy.sample(SampleRequest(tuple(prompt), DRAWN)) for prompt in prompts)
        return await asyncio.gather(*asked, return_exceptions=True)

    answer, failure = asyncio.run(run())
    assert len(answer) == 1
    assert isinstance(failure, PolicyFailure)
    assert "reads at most 200" in str(failure) and "shorten the episodes" in str(failure)


def test_an_answer_ends_where_the_context_does(random_llama: Path, ask):
    length = policy_of(random_llama).count_tokens(CONVERSATIONS[0])
    policy = policy_of(random_llama, context_length=length + 3)
    completion = ask(policy, CONVERSATIONS[:1], SamplingParams(temperature=0, max_tokens=50), n=1)[0][0]
    assert len(completion.token_ids) == 3 and completion.finish_reason == "length"


def test_the_engine_tells_its_room_and_what_the_cache_spared(random_llama: Path, ask):
    policy = policy_of(random_llama, prefix_cache_mb=1, max_rows=6)
    room = policy.engine_load().kv_tokens
    assert room == policy._engine._prefixes.tokens > 0
    assert (policy.engine_load().kv_used, policy.engine_load().cached, policy.engine_load().busy) == (0.0, None, 0.0)
    ask(policy, CONVERSATIONS[:1], GREEDY)
    first = policy.engine_load()
    assert first.busy == 0.5 and first.cached == 0.0 and 0 < first.kv_used <= 1
    again = ask(policy, CONVERSATIONS[:1], GREEDY)[0][0]
    assert policy.engine_load().cached == again.cached_tokens / (2 * again.prompt_tokens) > 0.3
    assert policy_of(random_llama, prefix_cache_mb=0).engine_load().kv_tokens is None


def test_what_was_recorded_is_replayed_until_the_shape_changes(random_llama: Path, ask, monkeypatch):
    from agentr_transformers.rows import _Recorded

    class Replayed:
        """Stands in for a CUDA graph: fills the same tensor by doing the step again."""

        def __init__(self, step) -> None:
            self.step, self.output, self.times = step, torch.empty(0), 0
            made.append(self)

        def replay(self) -> None:
            logits, self.times = self.step(), self.times + 1
            self.output.resize_(logits.shape).copy_(logits)

    class Graphs:
        def record(self, step):
            graph = Replayed(step)
            return graph, graph.output

    made: list[Replayed] = []
    plain, recording = (policy_of(random_llama, device="cpu", static_cache=True) for _ in range(2))
    steps = []
    forward = _Recorded._forward
    monkeypatch.setattr(_Recorded, "_forward", lambda self: (steps.append(self), forward(self))[1])
    monkeypatch.setattr(recording._engine._runner, "graphs", Graphs())
    params = SamplingParams(max_tokens=150, stop=("ra",))
    answers = ask(recording, CONVERSATIONS, params, n=5)
    # Each shape: one step by itself, and all others, where there are any, by its one recording.
    shapes = {id(each): each for each in steps}
    assert sum(graph.times for graph in made) == len(steps) - len(shapes) > len(made) > 1
    assert ids_of(answers) == ids_of(ask(plain, CONVERSATIONS, params, n=5))


@pytest.mark.skipif(DEVICE == "cpu", reason="there is no GPU; AGENTR_TEST_DEVICE=cuda runs these tests on one")
def test_a_step_is_recorded_for_every_shape(random_llama: Path, ask):
    policy = policy_of(random_llama)
    for count in (1, 3, 6):
        ask(policy, CONVERSATIONS[:count], DRAWN)
    assert policy._engine._runner.graphs._possible and policy._engine._runner.graphs.recorded >= 3


@pytest.mark.skipif(DEVICE != "cpu", reason="threads are a matter of CPUs")
def test_small_passes_take_one_thread_and_give_it_back(random_llama: Path, ask, monkeypatch):
    import torch
    from agentr_transformers import threads

    policy, used = policy_of(random_llama), []
    forward = type(policy._engine._runner._model).forward

    def noted(self, *args, **settings):
        used.append(torch.get_num_threads())
        return forward(self, *args, **settings)

    monkeypatch.setattr(type(policy._engine._runner._model), "forward", noted)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        ask(policy, CONVERSATIONS[:1], GREEDY)
        assert set(used) == {1} and torch.get_num_threads() == 2
        used.clear()
        monkeypatch.setattr(threads, "SMALL_FLOP", 0)
        ask(policy, CONVERSATIONS[:1], GREEDY)
        assert set(used) == {2}
    finally:
        torch.set_num_threads(before)


def test_closing_gives_the_model_back(random_llama: Path):
    import gc
    import weakref

    policy = policy_of(random_llama)
    alive = weakref.ref(policy._engine._runner._model)
    asyncio.run(policy.close())
    asyncio.run(policy.close())
    gc.collect()
    assert alive() is None
