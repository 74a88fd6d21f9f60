"""The first unrecoverable step, measured: where it lies is worked out by hand, and that it is played for."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from counting import planted

from agentr_core import Message, UsageError, create
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.branches import Branches
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.from_nodes import NodePlayer
from agentr_core.revise.critique_context import TreeCritique
from agentr_core.testing.critics import CriticContract
from agentr_core.testing.fakes import (
    BlockingCounterEnvironment,
    CounterEnvironment,
    ReplayCounterEnvironment,
    ScriptedPolicy,
)

#: On the way to 9 (1, 3, 5, 10 is too far): from 3 and from 5 it can still be made, by one who adds 2.
#: The good attempt shares nothing with it, so that the tree itself knows of no success below these steps.
ATTEMPTS = {"good": ("double", "double", "double", "add 1", "stop"), "bad": ("add 2", "add 2", "double")}


def two_at_a_time(messages: tuple[Message, ...]) -> str:
    return "Action: stop" if "You are at 9." in messages[-1].content else "Action: add 2"


def wait(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


class Court:
    """A tree of the attempts, somebody who plays on, and a critique of it."""

    def __init__(
        self,
        policy: AnyPolicy | None = None,
        world: type[CounterEnvironment] = CounterEnvironment,
        attempts: dict[str, tuple[str, ...]] = ATTEMPTS,
    ) -> None:
        self.tree, self.leaves = planted(attempts, "count_9")
        self.policy = policy or ScriptedPolicy(lambda messages, rng: two_at_a_time(messages))
        self.branches = Branches(self.tree.task, EnvironmentPool(world))
        self.player = NodePlayer(self.tree, self.branches, self.policy, "tree-1")

    def critique(self, known=None, player: bool = True) -> TreeCritique:
        async def distances(trajectory):
            raise AssertionError("nobody asks for distances")

        return TreeCritique(
            self.tree, self.policy, distances, domain="", seed=0, session="tree-1", known=known or {},
            player=self.player if player else None,
        )  # fmt: skip

    async def judge(self, critique: TreeCritique, **options):
        critic = create("critic", "unrecoverable", **options)
        return await critic.judge(*(self.tree.trajectory(self.leaves[name]) for name in ("bad", "good")), critique)


@pytest.mark.parametrize("steps", ["binary", "all"])
def test_the_cut_is_the_first_step_after_which_nothing_succeeds(steps: str) -> None:
    court = Court()
    critique = court.critique()
    cut = wait(court.judge(critique, rollouts=3, steps=steps, depth=9))
    assert (cut.step, cut.judged) == (3, True)
    assert [verdict.label for verdict in cut.verdicts] == ["good", "good", "bad"]
    assert "0 of 3 rollouts" in cut.verdicts[2].rationale
    assert len(court.tree.nodes) == 1 + 5 + 3, "nothing was added to the tree"


def test_what_it_costs_is_counted_in_steps_and_rollouts() -> None:
    court = Court()
    critique = court.critique()
    wait(court.judge(critique, rollouts=2, steps="all", depth=9))
    # From 3: 5, 7, 9, stop. From 5: 7, 9, stop. From 10, which is the end: nothing. Each twice.
    assert (critique.played, critique.steps, critique.unplayed) == (6, 2 * (4 + 3), 0)
    assert court.branches.stats.steps < critique.steps, "what was done before is known"
    halved = Court()
    few = halved.critique()
    wait(halved.judge(few, rollouts=2, steps="binary", depth=9))
    assert (few.played, few.steps) == (4, 2 * 3)


def test_a_success_in_the_tree_is_taken_for_granted() -> None:
    court = Court(attempts={**ATTEMPTS, "late": ("add 2", "add 2", "add 2", "add 2", "stop")})
    critique = court.critique()
    cut = wait(court.judge(critique, rollouts=2, steps="all"))
    assert [verdict.label for verdict in cut.verdicts] == ["good", "good", "bad"]
    assert (critique.played, critique.steps) == (2, 0), "only from the end, where there is nothing to play"


def test_the_same_question_has_the_same_answer_in_any_world_and_order() -> None:
    def somehow(messages, rng):
        return f"Action: {rng.choice(['add 1', 'add 2', 'stop'])}"

    found = []
    for world, jitter in ((CounterEnvironment, 0), (ReplayCounterEnvironment, 5), (BlockingCounterEnvironment, 3)):
        court = Court(ScriptedPolicy(somehow, jitter=jitter), world)
        critic = create("critic", "unrecoverable", rollouts=6, steps="all", depth=9)
        critique = court.critique()
        played = wait(critique.rollouts(1, 6, critic.config.sampling(), depth=9))
        again = wait(critique.rollouts(1, 6, critic.config.sampling(), depth=9))
        assert [each.actions() for each in played] == [each.actions() for each in again]
        found.append([each.actions() for each in played])
    assert found[0] == found[1] == found[2] and len({*found[0]}) > 1


def test_remembered_verdicts_spare_rollouts() -> None:
    court = Court()
    first = court.critique()
    cut = wait(court.judge(first, rollouts=2, steps="all", depth=9))
    again = court.critique(known=first.fresh)
    assert wait(court.judge(again, rollouts=2, steps="all", depth=9)) == cut
    assert (again.played, again.fresh) == (0, {})


class Brittle(CounterEnvironment):
    """Breaks at 7."""

    def step(self, action):
        if self._count == 7:
            raise OSError("it broke")
        return super().step(action)


def test_rollouts_that_the_environment_fails_are_counted_and_nothing_is_concluded_from_them() -> None:
    court = Court(world=Brittle)
    critique = court.critique()
    cut = wait(court.judge(critique, rollouts=2, steps="all", depth=9))
    assert [verdict.label for verdict in cut.verdicts] == ["uncertain", "uncertain", "bad"]
    assert (critique.played, critique.unplayed) == (6, 4)
    assert cut.verdicts[0].rationale.endswith("2 could not be played")


def test_an_environment_that_is_away_fails_the_tree() -> None:
    class Away(CounterEnvironment):
        def step(self, action):
            raise ConnectionError("no server")

    with pytest.raises(Exception, match="no server") as raised:
        court = Court(world=Away)
        wait(court.judge(court.critique(), depth=9))
    assert raised.value.passing, "it is tried once more"


def test_where_there_is_nothing_to_play_in_that_is_said() -> None:
    court = Court()
    with pytest.raises(UsageError, match="no environment to play in"):
        wait(court.judge(court.critique(player=False)))


@pytest.mark.parametrize("steps", ["binary", "all"])
def test_the_contract(steps: str) -> None:
    CriticContract(lambda: create("critic", "unrecoverable", rollouts=2, steps=steps)).verify()
