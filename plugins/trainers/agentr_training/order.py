"""In which order conversations are trained on: by chance, in batches of like length. Pure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

from agentr_core import derive_rng

#: How far the lengths of one batch may lie apart, as a factor: batches differ from epoch to epoch.
SPREAD = 1.1


def training_order(lengths: Sequence[int], epochs: float, seed: int, *, batch: int, group: bool) -> list[int]:
    """The rows of a whole training in order; each comes once an epoch, some of them in a broken last one.

    With ``group``, every ``batch`` rows from the start are of like length, so that little is padding. It depends on the
    arguments alone: a training that goes on after a stop finds its place by counting.
    """
    total, order = max(1, round(epochs * len(lengths))), list[int]()
    while len(order) < total:
        rng = derive_rng(seed, "epoch", len(order) // len(lengths))
        rows = rng.sample(range(len(lengths)), min(len(lengths), total - len(order)))
        order += _grouped(rows, lengths, -len(order) % batch, batch, rng) if group else rows
    return order


def _grouped(rows: Sequence[int], lengths: Sequence[int], first: int, batch: int, rng: random.Random) -> list[int]:
    """``rows`` in batches of like length; the ``first`` ones fill up a batch that was begun."""
    rows = sorted(rows, key=lambda row: lengths[row] * rng.uniform(1.0, SPREAD))
    filling, rest = rows[:first], rows[first:]
    whole = len(rest) - len(rest) % batch
    batches = [rest[start:end] for start, end in pairwise(range(0, whole + 1, batch))]
    rng.shuffle(batches)
    return [*filling, *(row for each in batches for row in each), *rest[whole:]]
