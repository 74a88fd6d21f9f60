"""A small tree played by hand in the counting world (target 7), and what a critic is lent while it judges it.

root(1) -> 1 add 2 (3) -> 2 add 1 (4) -> 3 add 1 (5) -> 4 add 2 (7) -> 5 stop      reward 1
                                      -> 6 double (8)                              too far
                       -> 7 jump (3)  -> 8 stop                                    wrong
        -> 9 double (2) -> 10 add 1 (3) -> 11 stop                                 wrong
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from agentr_core import Cut, Message, Trajectory, Tree, Verdict
from agentr_core.critique import TreeCritique
from agentr_core.testing import CounterEnvironment, ScriptedPolicy
from agentr_core.tree import Node

PATHS = {
    "good": ("add 2", "add 1", "add 1", "add 2", "stop"),
    "far": ("add 2", "add 1", "double"),
    "jump": ("add 2", "jump", "stop"),
    "apart": ("double", "add 1", "stop"),
}


@dataclass
class Scene:
    """The tree, its leaves by name, and the verdicts that a model gives by action."""

    tree: Tree
    leaves: dict[str, Node]

    def trajectory(self, name: str) -> Trajectory:
        return self.tree.trajectory(self.leaves[name])

    def context(
        self, answer: Callable[[Sequence[Message], Any], str] | None = None, known: Mapping[int, Verdict] | None = None
    ) -> TreeCritique:
        world = CounterEnvironment()

        async def distances(trajectory: Trajectory) -> list[float | None]:
            world.reset(trajectory.task)
            far = [world.distance()]
            for step in trajectory.steps:
                world.step(step.action or "")
                far.append(world.distance())
            return far

        self.policy = ScriptedPolicy(answer or (lambda messages, rng: ""))
        return TreeCritique(
            self.tree, self.policy, distances, domain=world.domain, seed=3, session="1", known=known or {}
        )

    def judge(self, critic: Any, bad: str, context: TreeCritique, good: str = "good") -> Cut:
        return asyncio.run(critic.judge(self.trajectory(bad), self.trajectory(good), context))


@pytest.fixture
def scene() -> Scene:
    world = CounterEnvironment()
    task = world.task("count_7")
    tree = Tree(task, (Message("system", world.instructions()), Message("user", world.reset(task))), seed=3)
    return Scene(tree, {name: _play(world, tree, actions) for name, actions in PATHS.items()})


def _play(world: CounterEnvironment, tree: Tree, actions: Sequence[str]) -> Node:
    world.reset(tree.task)
    node = tree.root
    for action in actions:
        result = world.step(action)
        known = next((child for child in node.children if child.action == action), None)
        node = known or tree.add(
            node,
            response=f"Thought: I count.\nAction: {action}",
            action=action,
            observation=result.observation,
            reward=result.reward,
            terminated=result.terminated,
            terminal=result.terminated,
        )
    return node
