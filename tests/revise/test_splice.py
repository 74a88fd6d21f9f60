"""Messages and masks of revision trajectories, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agentr_core import Cut, Message, Step, Task, Trajectory, derive_rng
from agentr_core.interfaces.turn_parsing import parse_response
from agentr_core.revise.splice import REVISION_THOUGHTS, at_an_open_step, revision_signal, splice, training_messages

TASK = Task(key="t", split="train", instruction="Do.")
HEAD = (Message("system", "rules"), Message("user", "start"))


def trajectory(*names: str) -> Trajectory:
    return Trajectory(TASK, HEAD, tuple(Step(f"say {name}", name, f"see {name}") for name in names))


SIGNAL = Step("Thought: no.\nAction: revise", "revise", "ok.")
BAD, GOOD = trajectory("a", "b1", "b2", "b3"), trajectory("a", "g1", "g2")


@pytest.mark.parametrize(
    ("cut", "actions"),
    [
        (2, ["a", "b1", "revise", "g1", "g2"]),
        (3, ["a", "b1", "b2", "revise", "g1", "g2"]),
        (4, ["a", "b1", "b2", "b3", "revise", "g1", "g2"]),
    ],
)
def test_splice_is_bad_start_signal_good_tail(cut: int, actions: list[str]) -> None:
    steps = splice(BAD, GOOD, cut=cut, divergence=1, signal=SIGNAL)
    assert [step.action for step in steps] == actions


@pytest.mark.parametrize("cut", [0, 1, 5])
def test_a_cut_in_the_shared_prefix_or_past_the_end_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="after step 1 and not after step 4"):
        splice(BAD, GOOD, cut=cut, divergence=1, signal=SIGNAL)


def test_mask_of_a_revision_trajectory() -> None:
    """Equation 6: the signal and the good tail carry the loss, the shared prefix and the bad start do not."""
    steps = splice(BAD, GOOD, cut=2, divergence=1, signal=SIGNAL)
    turns = training_messages(HEAD, steps, 2)
    assert [(turn.role[0], turn.content.splitlines()[-1], turn.train) for turn in turns] == [
        ("s", "rules", False),
        ("u", "start", False),
        ("a", "say a", False),
        ("u", "see a", False),
        ("a", "say b1", False),
        ("u", "see b1", False),
        ("a", "Action: revise", True),
        ("u", "ok.", False),
        ("a", "say g1", True),
        ("u", "see g1", False),
        ("a", "say g2", True),
        ("u", "see g2", False),
    ]


def test_mask_of_a_good_trajectory_is_every_agent_turn() -> None:
    turns = training_messages(HEAD, GOOD.steps, 0)
    assert [turn.train for turn in turns] == [False, False, True, False, True, False, True, False]


def test_every_thought_is_drawn_and_parses_to_the_revision_action() -> None:
    signals = [revision_signal(derive_rng(seed, "signal"), "wait") for seed in range(300)]
    parsed = {parse_response(signal.response) for signal in signals}
    assert {one.thought for one in parsed} == set(REVISION_THOUGHTS) and len(REVISION_THOUGHTS) == 10
    assert {one.action for one in parsed} == {"wait"} == {signal.action for signal in signals}
    assert {signal.observation for signal in signals} == {"ok."}


def test_a_turn_that_was_cut_off_is_never_trained() -> None:
    steps = (SIGNAL, Step("say g", "g", "see g", cut_off=True), Step("say h", "h", "see h"))
    assert [turn.content for turn in training_messages(HEAD, steps, 0) if turn.train] == [SIGNAL.response, "say h"]


@pytest.mark.parametrize(("ended", "cut", "moved"), [(True, 4, 3), (True, 3, 3), (False, 4, 4)])
def test_a_cut_falls_where_the_episode_still_goes_on(ended: bool, cut: int, moved: int) -> None:
    """A wrong purchase is the last step: who is to notice it stands before it."""
    last = replace(BAD.steps[-1], terminated=ended)
    bad = replace(BAD, steps=(*BAD.steps[:-1], last))
    assert at_an_open_step(Cut(step=cut), bad).step == moved
