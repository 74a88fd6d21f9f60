"""Episodes: what the agent's turns come to, and what is counted on the way."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentr_core.interfaces.turn_parsing import CUT_OFF
from agentr_core.play.episode import Player, Rollout
from agentr_core.records import Completion, SampleRequest, SamplingParams, Step
from agentr_core.testing.fakes import CounterEnvironment, ScriptedPolicy


class Saying(ScriptedPolicy):
    """Gives ``answers`` in turn, each with its finish reason."""

    def __init__(self, *answers: tuple[str, str], **options: Any) -> None:
        super().__init__(**options)
        self.answers = list(answers)

    async def sample(self, request: SampleRequest) -> list[Completion]:
        text, finish = self.answers.pop(0)
        return [Completion(text=text, finish_reason=finish)]  # type: ignore[arg-type]


def play(policy: ScriptedPolicy, *, given: tuple[Step, ...] = (), turns: int = 9, tokens: int = 50) -> Rollout:
    world = CounterEnvironment()
    player = Player(policy, SamplingParams(max_tokens=tokens), turns)
    return asyncio.run(player.rollout(world, world.task("count_7"), seed=0, session="s", given=given))


@pytest.mark.parametrize(
    ("answer", "action", "observation"),
    [
        ("Thought: I add.\nAction: add 1", None, CUT_OFF),
        ("Thought: I add", None, CUT_OFF),
        ("<think>I add.\nAction: add 1\nor", None, CUT_OFF),
        ("Thought: I add.\nAction: add 1\nObservation: You", "add 1", "You are at 2."),
    ],
)
def test_a_turn_that_was_cut_off_is_counted_and_done_only_where_its_action_is_whole(
    answer: str, action: str | None, observation: str
) -> None:
    rollout = play(Saying((answer, "length"), ("Action: stop", "stop")))
    first = rollout.trajectory.steps[0]
    assert (first.action, first.observation, first.cut_off) == (action, observation, True)
    assert rollout.cut_off == 1 and rollout.trajectory.steps[-1].terminated


def test_given_steps_are_done_again_as_they_were_and_differences_counted() -> None:
    given = (
        Step("Action: add 1", "add 1", "You are at 2."),
        Step("Action: add 1", None, CUT_OFF, cut_off=True),
        Step("Action: double", "double", "You are at 5."),  # it is 4
    )
    rollout = play(Saying(("Action: stop", "stop")), given=given)
    assert [step.observation for step in rollout.trajectory.steps[:3]] == ["You are at 2.", CUT_OFF, "You are at 4."]
    assert (rollout.prefix, rollout.mismatches, rollout.cut_off) == (3, 1, 0)


def test_an_episode_whose_conversation_no_longer_fits_has_ended_with_what_it_had_reached() -> None:
    class Narrow(Saying):
        context_length = 100

        def count_tokens(self, messages: Any) -> int:
            return 40 * len(messages)

    rollout = play(Narrow(("Action: add 1", "stop")), tokens=10)
    assert rollout.context_full and [step.observation for step in rollout.trajectory.steps] == ["You are at 2."]
