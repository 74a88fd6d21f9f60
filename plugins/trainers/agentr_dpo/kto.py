"""Kahneman-Tversky optimization (arXiv 2402.01306): each side of a pair by itself, against a point of reference.

A pair says which of two continuations is better. KTO asks of each of them alone whether it is good or bad, and counts
how much likelier it has become than by the reference, ``r``, above or below what others have, ``z``:

    loss(good) = desirable_weight * (1 - sigmoid(beta * (r - z)))
    loss(bad)  = undesirable_weight * (1 - sigmoid(beta * (z - r)))

``z`` is the mean of ``r`` over crossed rows, prompts gone on with as in other pairs (section 4.1), never below 0, and
has no gradient. So of 100 good and 10 bad turns each counts by itself, by weights that the user sets.
"""

from __future__ import annotations

import torch

from agentr_dpo.config import DPOSettings


def reference_point(whole: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """``z`` of crossed rows whose ``r`` sum to ``whole``; a scalar."""
    return (whole / count.clamp(min=1)).clamp(min=0.0)


def kto_losses(ratios: torch.Tensor, point: torch.Tensor, settings: DPOSettings) -> torch.Tensor:
    """The loss of each row (equation 7), of ``r`` of the better sides, then of the worse ones; shape (2B,)."""
    better, worse = ratios.chunk(2)
    good = settings.desirable_weight * (1.0 - torch.sigmoid(settings.beta * (better - point)))
    bad = settings.undesirable_weight * (1.0 - torch.sigmoid(settings.beta * (point - worse)))
    return torch.cat([good, bad])
