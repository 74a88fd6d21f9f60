"""What is made large: the clipped surrogate of an action's tokens. Pure tensors of shape (rows, T)."""

from __future__ import annotations

import torch

from agentr_tree.config import TreeSettings


def surrogate(
    logprobs: torch.Tensor, old: torch.Tensor, mask: torch.Tensor, advantages: torch.Tensor, settings: TreeSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each token min(r A, clip(r) A), for a bad action no less than dual_clip A; and which tokens were clipped.

    r is the ratio of the probability now to that at which the token was drawn (Schulman et al. 2017; the upper bound
    is farther, after DAPO; the second bound for bad actions after Ye et al. 2020). Outside ``mask`` both are 0.
    """
    difference = (logprobs - old) * mask
    if settings.ratio == "turn":  # one ratio a turn: the geometric mean over its tokens (GSPO)
        mean = difference.sum(1, keepdim=True) / mask.sum(1, keepdim=True).clamp(min=1)
        difference = mean.expand_as(difference) * mask
    ratio, a = difference.exp(), advantages[:, None]
    bounded = ratio.clamp(1.0 - settings.clip_low, 1.0 + settings.clip_high)
    least = torch.minimum(ratio * a, bounded * a)
    found = torch.where(a < 0, torch.maximum(least, settings.dual_clip * a), least)
    clipped = (found != ratio * a) & mask.bool()
    return found * mask, clipped


def objective(
    logprobs: torch.Tensor,
    old: torch.Tensor,
    mask: torch.Tensor,
    advantages: torch.Tensor,
    by_ratio: torch.Tensor,
    settings: TreeSettings,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each row (rows,) the sum over its tokens of the surrogate, or of log-probabilities where no ratio counts.

    And the number of tokens with a ratio that were clipped.
    """
    tokens, clipped = surrogate(logprobs, old, mask, advantages, settings)
    plain = logprobs * mask
    rows = torch.where(by_ratio[:, None], tokens, plain).sum(1)
    return rows, (clipped & by_ratio[:, None]).sum()
