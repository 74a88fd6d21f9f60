"""What is made large: the clipped surrogate of the actions' tokens. Pure tensors of shape (rows, T).

``turns`` has the number of its turn for each token that is trained, from 1 in each row, and 0 elsewhere.
"""

from __future__ import annotations

import torch

from agentr_tree.config import TreeSettings


def surrogate(
    logprobs: torch.Tensor, old: torch.Tensor, turns: torch.Tensor, advantages: torch.Tensor, settings: TreeSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each token min(r A, clip(r) A), for a bad action no less than dual_clip A; and which tokens were clipped.

    r is the ratio of the probability now to that at which the token was drawn (Schulman et al. 2017; the upper bound
    is farther, after DAPO; the second bound for bad actions after Ye et al. 2020). Outside turns both are 0.
    """
    trained = turns > 0
    difference = (logprobs - old) * trained
    if settings.ratio == "turn":
        difference = mean_of_turn(difference, turns) * trained
    ratio, a = difference.exp(), advantages
    bounded = ratio.clamp(1.0 - settings.clip_low, 1.0 + settings.clip_high)
    least = torch.minimum(ratio * a, bounded * a)
    found = torch.where(a < 0, torch.maximum(least, settings.dual_clip * a), least)
    clipped = (found != ratio * a) & trained
    return found * trained, clipped


def mean_of_turn(values: torch.Tensor, turns: torch.Tensor) -> torch.Tensor:
    """Of each token the mean over its turn: of log-ratios, so that a turn has one, the geometric mean (GSPO)."""
    zeros = values.new_zeros(len(values), int(turns.max()) + 1)
    sums = zeros.scatter_add(1, turns, values)
    counts = zeros.scatter_add(1, turns, torch.ones_like(values))
    return (sums / counts.clamp(min=1)).gather(1, turns)


def objective(
    logprobs: torch.Tensor,
    old: torch.Tensor,
    turns: torch.Tensor,
    advantages: torch.Tensor,
    by_ratio: torch.Tensor,
    settings: TreeSettings,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each token the surrogate, or its log-probability where no ratio counts; and how many with one were clipped."""
    surrogates, clipped = surrogate(logprobs, old, turns, advantages, settings)
    return torch.where(by_ratio, surrogates, logprobs * (turns > 0)), (clipped & by_ratio).sum()
