"""Drawing tokens: the random numbers, the distribution, the nucleus."""

from __future__ import annotations

import numpy as np
import pytest

from agentr_core import SamplingParams, derive_seed

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
from agentr_transformers.sampling import Sampler, uniforms  # noqa: E402

CPU = torch.device("cpu")
SEEDS = [derive_seed(0, "sample", number) for number in range(20_000)]


def draw(params: SamplingParams, logits: list[float], step: int = 0) -> np.ndarray:
    sampler = Sampler([params] * len(SEEDS), SEEDS, CPU)
    for before in range(step):
        sampler.draw(torch.tensor([logits]).expand(len(SEEDS), -1), before)
    return sampler.draw(torch.tensor([logits]).expand(len(SEEDS), -1), step)[0].numpy()


def test_splitmix64_known_answers():
    # The first three outputs for seed 1234567, as published with the generator.
    known = [6457827717110365317, 3203168211198807973, 9817491932198370423]
    numbers = uniforms(np.array([1234567], dtype=np.uint64), 0, 3)[0]
    assert numbers.tolist() == [np.float32((value >> 41) * 2.0**-23) for value in known]


def test_uniforms_do_not_depend_on_where_they_start_or_who_else_is_there():
    seeds = np.array(SEEDS[:50], dtype=np.uint64)
    whole = uniforms(seeds, 0, 100)
    assert (uniforms(seeds[7:9], 60, 40) == whole[7:9, 60:]).all()
    assert whole.min() >= 0 and whole.max() < 1
    assert abs(whole.mean() - 0.5) < 0.02


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_frequencies_are_the_probabilities(temperature: float):
    logits = [2.0, 1.0, 0.0, -1.0, -np.inf]
    expected = torch.tensor([value / temperature for value in logits]).softmax(0).numpy()
    tokens = draw(SamplingParams(temperature=temperature), logits)
    seen = np.bincount(tokens, minlength=5) / len(tokens)
    # Four standard errors of a frequency.
    assert np.abs(seen - expected).max() < 4 * 0.5 / np.sqrt(len(tokens))
    assert seen[4] == 0


def test_steps_are_independent():
    params = SamplingParams()
    first, second = draw(params, [0.0] * 8), draw(params, [0.0] * 8, step=1)
    together = np.bincount(first * 8 + second, minlength=64) / len(first)
    assert np.abs(together - 1 / 64).max() < 5 * np.sqrt(1 / 64 / len(first))


def test_the_nucleus_is_the_fewest_that_reach_top_p():
    logits = np.log([0.5, 0.25, 0.15, 0.1]).tolist()
    for top_p, kept in ((0.4, {0}), (0.5, {0}), (0.6, {0, 1}), (0.76, {0, 1, 2}), (1.0, {0, 1, 2, 3})):
        assert set(draw(SamplingParams(top_p=top_p), logits).tolist()) == kept
    tokens = draw(SamplingParams(top_p=0.6), logits)
    assert abs((tokens == 0).mean() - 2 / 3) < 0.02


def test_greedy_takes_the_first_of_equals_and_logprobs_are_of_temperature_one():
    sampler = Sampler([SamplingParams(temperature=0), SamplingParams(temperature=0.1)], [1, 2], CPU)
    logits = torch.tensor([[1.0, 3.0, 3.0], [0.0, 9.0, 0.0]])
    tokens, logprobs = sampler.draw(logits, 0)
    assert tokens.tolist() == [1, 1]
    assert logprobs.tolist() == pytest.approx(logits.log_softmax(-1)[[0, 1], [1, 1]].tolist(), abs=1e-6)


def test_kept_rows_draw_on_as_before():
    params = [SamplingParams(temperature=1 + number / 10) for number in range(10)]
    logits = torch.arange(7.0).expand(10, 7)
    whole, some = Sampler(params, SEEDS[:10], CPU), Sampler(params, SEEDS[:10], CPU)
    whole.draw(logits, 0), some.draw(logits, 0)
    some.select(torch.tensor([8, 1, 5]))
    for step in range(1, 130):
        assert some.draw(logits[:3], step)[0].tolist() == whole.draw(logits, step)[0][[8, 1, 5]].tolist()
