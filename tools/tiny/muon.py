"""Muon in float32: ``torch.optim.Muon`` works in bfloat16, seconds a step where the processor does not have that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

#: Coefficients of the quintic Newton-Schulz iteration, and how often it is repeated (those of ``torch.optim.Muon``).
COEFFICIENTS, REPEATS = (3.4445, -4.7750, 2.0315), 5


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The matrix with all its singular values brought near 1, in its own precision."""
    a, b, c = COEFFICIENTS
    tall = matrix.size(0) > matrix.size(1)
    x: torch.Tensor = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(REPEATS):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalized, with a step as long as AdamW's (``match_rms_adamw``), and decoupled weight decay."""

    def __init__(self, matrices: Iterable[Any], lr: float, weight_decay: float, momentum: float = 0.95) -> None:
        super().__init__(matrices, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # none is ever given
        """One step; ``closure`` is not called."""
        for group in self.param_groups:
            for matrix in group["params"]:
                mean = self.state[matrix].setdefault("mean", torch.zeros_like(matrix))
                mean.lerp_(matrix.grad, 1 - group["momentum"])
                update = orthogonal(matrix.grad.lerp(mean, group["momentum"]))
                matrix.mul_(1 - group["lr"] * group["weight_decay"])
                matrix.add_(update, alpha=-0.2 * group["lr"] * max(matrix.shape) ** 0.5)
