"""What observers are told: one frozen event for each thing that has happened in a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins or goes on. ``config`` is the resolved configuration."""

    run: str
    db: str
    config: Mapping[str, object]
    resumed: bool


@dataclass(frozen=True, slots=True)
class TreeFinished:
    """One tree is complete (or failed: then ``error`` says why)."""

    run: str
    tree: int
    task: str
    iteration: int
    nodes: int
    best_reward: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RevisionsBuilt:
    """The revision stage of an iteration is complete."""

    run: str
    iteration: int
    critic: str
    pairs: int
    revisions: int
    good: int


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """A trainer has finished."""

    run: str
    iteration: int
    path: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation is complete. ``metrics`` are those of the closing table."""

    run: str
    iteration: int
    split: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run has ended. ``status`` is ``done``, ``failed`` or ``interrupted``."""

    run: str
    status: str
