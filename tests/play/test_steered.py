"""An episode that is steered: turns have makers, and are taken back by snapshot or by playing again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

import pytest

from agentr_core.play.steered import SteeredEpisode
from agentr_core.records import StepResult
from agentr_core.testing import CounterEnvironment
from agentr_core.testing.fakes import ReplayCounterEnvironment


class Forgetful(ReplayCounterEnvironment):
    """A world that is another one each time it is begun."""

    begun: ClassVar[int] = 0

    def reset(self, task):
        type(self).begun += 1
        return super().reset(task)

    def step(self, action: str) -> StepResult:
        result = super().step(action)
        return result.model_copy(update={"observation": f"{result.observation} ({self.begun})"})


@pytest.mark.parametrize("make", [CounterEnvironment, ReplayCounterEnvironment])
def test_turns_are_taken_back_and_what_follows_is_as_if_they_had_not_been(
    make: Callable[[], CounterEnvironment],
) -> None:
    async def work() -> None:
        world = make()
        episode = await SteeredEpisode.begin(world, world.task("count_9"))
        for action in ("add 1", "what", "double", "double"):
            await episode.turn(f"Action: {action}", "ann")
        wrong = await episode.turn("Action: stop", "bob")
        assert wrong.terminated and episode.ended and episode.by[-1] == "bob"
        assert await episode.undo() == 0 and not episode.ended
        assert await episode.undo(2) == 0
        assert [step.action for step in episode.steps] == ["add 1", "what"] and episode.by == ["ann", "ann"]
        assert (await episode.turn("Action: add 2", "bob")).observation == "You are at 4."
        assert episode.by == ["ann", "ann", "bob"] and len(episode.messages()) == 8
        assert list(await episode.legal_actions() or ()) == ["add 1", "add 2", "double", "stop"]
        assert await episode.undo(3) == 0 and not episode.steps
        assert (await episode.turn("Action: add 1", "bob")).observation == "You are at 2."

    asyncio.run(work())


def test_a_world_that_does_not_play_again_exactly_is_told_and_what_is_seen_now_counts() -> None:
    async def work() -> None:
        world = Forgetful()
        episode = await SteeredEpisode.begin(world, world.task("count_9"))
        for action in ("add 1", "add 1", "double"):
            await episode.turn(f"Action: {action}", "ann")
        before = [step.observation for step in episode.steps]
        assert await episode.undo() == 2
        after = [step.observation for step in episode.steps]
        assert len(after) == 2 and not set(before) & set(after)

    asyncio.run(work())
