"""What the engine is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

from agentr_core import SamplingParams


@dataclass(frozen=True, slots=True)
class Job:
    """One prompt and the samples to draw after it: one for each of ``seeds``, at most ``limit`` tokens each."""

    ids: tuple[int, ...]
    params: SamplingParams
    seeds: tuple[int, ...]
    limit: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn: token ids, the one that ended the turn included, and their log-probabilities.

    ``stopped``: it ended by itself. ``ended``: by an end-of-turn token, the last of ``ids``. ``cached``: how many
    prompt tokens were not computed again.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    stopped: bool
    ended: bool
    cached: int
