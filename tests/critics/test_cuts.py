"""Where each critic cuts the small tree, worked out by hand."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

import pytest

from agentr_core import Cut, Message, Verdict, create, divergence, first_bad
from agentr_core.testing import ScriptedPolicy


def verdict_on(*bad: str, label: str = "bad"):
    """A model that calls these actions bad and every other one good."""

    def answer(messages: Sequence[Message], rng: random.Random) -> str:
        judged = messages[-1].content.rsplit("Action: ", 1)[1].splitlines()[0]
        return f"I see {judged}.\nJudgment: {label if judged in bad else 'good'}"

    return answer


def test_divergence_is_counted_in_nodes(scene) -> None:
    good = scene.trajectory("good")
    assert [divergence(scene.trajectory(name), good) for name in ("far", "jump", "apart", "good")] == [2, 1, 0, 5]


@pytest.mark.parametrize(
    ("name", "bad", "step", "labels"),
    [
        ("value", "far", 3, ["bad"]),
        ("value", "jump", 2, ["bad", "uncertain"]),
        ("value", "apart", 1, ["bad", "uncertain", "uncertain"]),
        # From 3 with 4 steps to go, a jump changes nothing; going past the number can never be mended.
        ("oracle", "jump", 2, ["bad", "uncertain"]),
    ],
)
def test_cut_of_critics_that_ask_no_model(scene, name: str, bad: str, step: int, labels: list[str]) -> None:
    cut = scene.judge(create("critic", name), bad, scene.context())
    assert (cut.step, cut.judged, [verdict.label for verdict in cut.verdicts]) == (step, True, labels)
    assert scene.policy.requests == 0


def test_value_sees_later_falls_where_the_first_step_is_no_worse(scene) -> None:
    """Once the only success below ``add 2`` is gone, leaving it costs nothing any more."""
    scene.leaves["good"].reward = scene.leaves["apart"].reward
    cut = scene.judge(create("critic", "value"), "apart", scene.context())
    worst = min(leaf.reward for leaf in scene.leaves.values())
    assert scene.leaves["far"].reward > worst and (cut.step, cut.judged) == (1, True)
    for leaf in scene.leaves.values():
        leaf.reward = 0.5
    cut = scene.judge(create("critic", "value"), "apart", scene.context())
    assert (cut.step, cut.judged) == (3, False)


def test_last_keeps_the_whole_attempt(scene) -> None:
    assert scene.judge(create("critic", "last"), "jump", scene.context()) == Cut(step=3, judged=False)


def test_random_draws_every_step_after_the_divergence_and_no_other(scene) -> None:
    drawn = set()
    for seed in range(60):
        context = scene.context()
        context._seed = seed
        cut = scene.judge(create("critic", "random"), "jump", context)
        assert cut == scene.judge(create("critic", "random"), "jump", context)
        drawn.add(cut.step)
    assert drawn == {2, 3}


@pytest.mark.parametrize(("wrong", "step", "judged"), [("jump", 2, True), ("stop", 3, True), ("nothing", 3, False)])
def test_actor_cuts_at_the_first_action_it_calls_bad(scene, wrong: str, step: int, judged: bool) -> None:
    cut = scene.judge(create("critic", "actor"), "jump", scene.context(verdict_on(wrong)))
    assert (cut.step, cut.judged) == (step, judged)
    assert [verdict.step for verdict in cut.verdicts] == [2, 3]


def test_a_bad_verdict_on_a_shared_step_is_never_asked_for(scene) -> None:
    """``add 2`` is shared with the good attempt: the official code cuts there (defect D10)."""
    cut = scene.judge(create("critic", "actor"), "jump", scene.context(verdict_on("add 2")))
    assert (cut.step, cut.judged) == (3, False)
    assert scene.policy.requests == 2


@pytest.mark.parametrize("answer", ["", "not good", "Judgment: good or bad", "\x00"])
def test_answers_without_a_label_keep_the_whole_attempt_and_say_so(scene, answer: str) -> None:
    cut = scene.judge(create("critic", "actor"), "jump", scene.context(lambda messages, rng: answer))
    assert (cut.step, cut.judged, {verdict.label for verdict in cut.verdicts}) == (3, False, {"uncertain"})


def test_votes_are_drawn_in_one_request_each(scene) -> None:
    context = scene.context(lambda messages, rng: f"Judgment: {rng.choice(['bad', 'bad', 'good'])}")
    cut = scene.judge(create("critic", "actor", votes=9, temperature=1.0), "jump", context)
    assert (cut.step, cut.judged, scene.policy.requests) == (2, True, 2)


def test_judge_asks_its_own_policy_and_closes_it(scene, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(ScriptedPolicy):
        closed = 0

        async def close(self) -> None:
            self.closed += 1

    other = Other(verdict_on("stop"))
    monkeypatch.setattr("agentr_critics.judged.create", lambda kind, name, **options: other)
    critic = create("critic", "judge")
    cut = scene.judge(critic, "jump", scene.context(verdict_on("jump")))
    assert (cut.step, scene.policy.requests, other.requests) == (3, 0, 2)
    asyncio.run(critic.close())
    asyncio.run(critic.close())
    assert other.closed == 1


def test_a_bad_leaf_is_judged_once_whatever_it_is_paired_with(scene) -> None:
    """Two partners that share no step with it and one that shares one: three steps, three questions (defect D30)."""
    context = scene.context(verdict_on("stop"))
    critic = create("critic", "actor")
    cuts = [scene.judge(critic, "jump", context, good) for good in ("apart", "good", "far", "apart")]
    assert [cut.step for cut in cuts] == [3, 3, 3, 3]
    assert scene.policy.requests == 3
    assert set(context.fresh) == {node.index for node in scene.leaves["jump"].path()}


def test_verdicts_of_an_earlier_session_are_not_asked_for_again(scene) -> None:
    first = scene.context(verdict_on("jump"))
    cut = scene.judge(create("critic", "actor"), "jump", first)
    again = scene.context(verdict_on(), known=first.fresh)
    assert scene.judge(create("critic", "actor"), "jump", again) == cut
    assert (scene.policy.requests, again.fresh) == (0, {})


def test_first_bad_is_the_first_and_not_the_worst() -> None:
    verdicts = [Verdict(step=step, label=label) for step, label in ((2, "uncertain"), (3, "bad"), (4, "bad"))]
    assert first_bad(verdicts, last=5) == Cut(step=3, judged=True, verdicts=tuple(verdicts))
    assert first_bad([], last=5) == Cut(step=5, judged=False)
