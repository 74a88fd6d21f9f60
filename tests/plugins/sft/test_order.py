"""The order of training: every conversation once an epoch, like lengths together, nothing but the seed decides."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from agentr_training.order import training_order

LENGTHS = [random.Random(number).randint(200, 400) for number in range(103)]


def padding(order: list[int], batch: int) -> float:
    """The share of a training's tokens that is padding."""
    batches = [[LENGTHS[row] for row in order[start : start + batch]] for start in range(0, len(order), batch)]
    return 1 - sum(map(sum, batches)) / sum(max(each) * len(each) for each in batches)


@pytest.mark.parametrize("group", [True, False])
def test_every_row_comes_once_an_epoch(group: bool) -> None:
    order = training_order(LENGTHS, 3, 0, batch=16, group=group)
    for epoch in range(3):
        assert sorted(order[103 * epoch : 103 * (epoch + 1)]) == list(range(103))
    assert order[:103] != order[103:206]


def test_a_broken_epoch_is_a_part_of_one() -> None:
    order = training_order(LENGTHS, 1.5, 0, batch=16, group=True)
    assert len(order) == round(1.5 * 103)
    assert max(Counter(order[103:]).values()) == 1
    assert len(training_order([5, 5], 0.1, 0, batch=4, group=True)) == 1


def test_like_lengths_go_together_in_every_epoch() -> None:
    grouped = training_order(LENGTHS, 4, 0, batch=16, group=True)
    mixed = training_order(LENGTHS, 4, 0, batch=16, group=False)
    assert padding(grouped, 16) < 0.5 * padding(mixed, 16)
    means = [sum(LENGTHS[row] for row in grouped[start : start + 16]) for start in range(0, 96, 16)]
    assert means not in (sorted(means), sorted(means, reverse=True))  # but not from short to long


def test_the_seed_decides() -> None:
    one, again, other = (training_order(LENGTHS, 2, seed, batch=16, group=True) for seed in (1, 1, 2))
    assert one == again != other
