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


PartName = Literal["shared", "bad", "signal", "good"]


@dataclass(frozen=True, slots=True)
class Part:
    """Some steps of a revision, each an agent's turn and its answer."""

    name: PartName
    turns: Sequence[Message]


def revision_part(sample: Sample, step: int) -> PartName:
    """To which part of a sample a step belongs, counted from 0; all of a good trajectory is good."""
    if sample.kind == "good":
        return "good"
    if step < sample.divergence:
        return "shared"
    if step < sample.cut:
        return "bad"
    return "signal" if step == sample.cut else "good"


def before_the_cut(sample: Sample, messages: Sequence[Message]) -> list[Part]:
    """The steps that are kept of the bad attempt; none of a good trajectory."""
    return [] if sample.kind == "good" else _parts(sample, messages, "shared", "bad")


def after_the_cut(sample: Sample, messages: Sequence[Message]) -> list[Part]:
    """The revision signal and the good continuation; of a good trajectory all of it."""
    return _parts(sample, messages, "good") if sample.kind == "good" else _parts(sample, messages, "signal", "good")


def _parts(sample: Sample, messages: Sequence[Message], *names: PartName) -> list[Part]:
    steps = list(enumerate(messages[HEAD_TURNS:]))
    return [Part(name, [turn for at, turn in steps if revision_part(sample, at // 2) == name]) for name in names]


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
