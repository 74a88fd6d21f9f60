"""Revision trajectories: the bad start up to the cut, the revision signal, the good tail (Agent-R section 3.1).

    bad        head  a1 o1 ... at ot | ab(t+1) ob(t+1) ... ab(t') ob(t') ... ab(T)
    good       head  a1 o1 ... at ot | ag(t+1) og(t+1) ... ag(T)
    revision   head  a1 o1 ... at ot | ab(t+1) ob(t+1) ... ab(t') ob(t') | signal, ok. | ag(t+1) og(t+1) ... ag(T)

t is the divergence (the steps up to it are the same nodes), t' the cut. Pure.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from agentr_core.interfaces.turn_parsing import REVISION_ACTION, REVISION_REPLY
from agentr_core.records import Cut, Step, Trajectory
from agentr_core.turns import Message

#: What the agent says when it notices its mistake; one is drawn for each revision trajectory (section 3.1).
REVISION_THOUGHTS = (
    "Something went wrong here. I should stop and do this another way.",
    "My last steps do not bring me closer to the goal, so I will change my plan.",
    "I made a mistake a moment ago. Let me go back to what the task asks for.",
    "This is not working. I need to correct what I did before I go on.",
    "Looking back, that step was wrong. I will try a different one.",
    "I have lost sight of the goal. Let me think again about what is needed.",
    "The result shows that I chose badly. I will set it right now.",
    "I missed something important. I should read the task once more and start over from here.",
    "I see my error: this way leads nowhere. A better way must be found.",
    "That was a failure of mine, and I can repair it if I change course.",
)


def revision_signal(rng: random.Random, action: str = REVISION_ACTION) -> Step:
    """The reflection turn and its answer (section 3.1, rs): one of ten thoughts, then the revision action."""
    thought = rng.choice(REVISION_THOUGHTS)
    return Step(response=f"Thought: {thought}\nAction: {action}", action=action, observation=REVISION_REPLY)


def at_an_open_step(cut: Cut, bad: Trajectory) -> Cut:
    """The cut, moved back to the last step after which the episode went on.

    A purchase or a step cap ends it: nobody can notice a mistake afterwards, so the one who errs last is cut before.
    """
    ended = bool(bad.steps) and (bad.steps[-1].terminated or bad.steps[-1].truncated)
    last = len(bad.steps) - ended
    return cut if cut.step <= last else cut.model_copy(update={"step": last})


def splice(bad: Trajectory, good: Trajectory, *, cut: int, divergence: int, signal: Step) -> tuple[Step, ...]:
    """Bad steps up to t', the revision signal, good steps from t + 1 (equation 3), as recorded.

    Raises ``ValueError`` where the cut lies in the shared prefix or beyond the end: t < t' <= T_b.
    """
    if not divergence < cut <= len(bad.steps):
        raise ValueError(f"the cut must lie after step {divergence} and not after step {len(bad.steps)} (got {cut})")
    return (*bad.steps[:cut], signal, *good.steps[divergence:])


def training_messages(
    head: Sequence[Message], steps: Sequence[Step], first_trained: int, *, train_refused: bool = True
) -> tuple[Message, ...]:
    """A conversation whose agent turns from step index ``first_trained`` (0-based) on carry the loss (equation 6).

    0 for a good trajectory: every agent turn. The cut t' for a revision trajectory: the signal and the good tail.
    A turn that was cut off carries none: it would teach to stop where nothing is complete. Without ``train_refused``, a
    turn that the environment refused carries none either: it is part of an attempt that ended well, but not of what
    made it end well.
    """
    turns = list(head)
    for index, step in enumerate(steps):
        train = index >= first_trained and not step.cut_off and (train_refused or not step.invalid)
        turns.append(Message("assistant", step.response, train=train))
        turns.append(Message("user", step.observation))
    return tuple(turns)
