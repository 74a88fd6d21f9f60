"""The parts of a revision: what both attempts share, what is bad, the cut, the signal, what is good. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from agentr_core.process.terminal import one_line

if TYPE_CHECKING:
    from agentr_core.store import Sample
    from agentr_core.turns import Message

#: Turns before the first step of a stored conversation: instructions and first observation.
HEAD_TURNS = 2
#: Characters of a critic's reason that are shown at the cut.
_REASON = 300


@dataclass(frozen=True, slots=True)
class Part:
    """Some steps of a revision, each an agent's turn and its answer."""

    name: Literal["shared", "bad", "signal", "good"]
    turns: Sequence[Message]


def before_the_cut(sample: Sample, messages: Sequence[Message]) -> list[Part]:
    """The steps that are kept of the bad attempt; none of a good trajectory."""
    steps = messages[HEAD_TURNS:]
    shared, cut = 2 * sample.divergence, 2 * sample.cut
    return [] if sample.kind == "good" else [Part("shared", steps[:shared]), Part("bad", steps[shared:cut])]


def after_the_cut(sample: Sample, messages: Sequence[Message]) -> list[Part]:
    """The revision signal and the good continuation; of a good trajectory all of it."""
    steps, cut = messages[HEAD_TURNS:], 2 * sample.cut
    if sample.kind == "good":
        return [Part("good", steps)]
    return [Part("signal", steps[cut : cut + 2]), Part("good", steps[cut + 2 :])]


def told_at_the_cut(sample: Sample, reason: str) -> str:
    """Where a revision cuts, and why."""
    because = f": {one_line(reason, _REASON)}" if reason else ""
    said = "judged bad" + because if sample.judged else "no step was judged bad, so all of it is kept"
    return f"cut after step {sample.cut}, {said}"


def facts(sample: Sample, critic: str) -> list[str]:
    """A revision in a few words: whose, where it parts and cuts, its rewards, whether it held and is kept."""
    told = [f"critic {critic}", f"t={sample.divergence} t'={sample.cut}"]
    if sample.bad_reward is not None and sample.good_reward is not None:
        told.append(f"bad {sample.bad_reward:.2f}, good {sample.good_reward:.2f}, spliced {sample.reward:.2f}")
    told.append({None: "as recorded", True: "verified", False: "not verified"}[sample.verified])
    return told if sample.kept else [*told, "dropped"]
