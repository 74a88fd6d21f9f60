"""The contract of a critic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.first_error import divergence
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.play.branches import Branches
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.from_nodes import NodePlayer
from agentr_core.prompts.conversation import head
from agentr_core.records import Cut, Trajectory, Verdict
from agentr_core.revise.critique_context import TreeCritique
from agentr_core.testing.contract import Contract, require, same
from agentr_core.testing.fakes import CounterEnvironment, ScriptedPolicy

#: Two failures that leave the good attempt after one and after two steps, and one that never shares a step.
ATTEMPTS = (
    ("add 2", "double", "add 1", "stop"),
    ("add 2", "add 1", "jump", "stop"),
    ("add 2", "double", "double"),
    ("double", "stop"),
)
TARGET = "count_7"
NONSENSE = ("", "Judgment: maybe", "good or bad", "\x00")
ANSWERS = (NONSENSE, ("It helps.\nJudgment: good",), ("It harms.\nJudgment: bad",))


class CriticContract(Contract):
    """Rules for the critics that ``make`` makes, tried on a small tree.

    The acting model answers with nonsense, then with nothing but ``good``, then with nothing but ``bad``.
    """

    subject = "critic"

    def __init__(self, make: Callable[[], AnyCritic]) -> None:
        self._make = make

    def the_cut_lies_after_the_divergence(self) -> str:
        """t < t' <= T_b for each pair (Agent-R section 3.1)."""
        cuts = []
        for bad, good, cut in self._judge_all():
            require(divergence(bad, good) < cut.step <= len(bad.steps), f"a step in {_room(bad, good)}", cut.step)
            cuts.append(cut.step)
        return f"cuts after steps {', '.join(map(str, sorted(set(cuts))))}"

    def verdicts_are_about_steps_after_the_divergence(self) -> None:
        """In step order, and one a step."""
        for bad, good, cut in self._judge_all():
            steps = [verdict.step for verdict in cut.verdicts]
            same(sorted(set(steps)), steps, "the judged steps and the same in order")
            require(
                all(divergence(bad, good) < step <= len(bad.steps) for step in steps),
                f"steps in {_room(bad, good)}",
                steps,
            )

    def a_judged_cut_is_backed_by_a_verdict(self) -> None:
        """Where verdicts are given and none is bad, the cut is not judged: the trajectory is tagged as such."""
        for _, _, cut in self._judge_all():
            bad = [verdict.step for verdict in cut.verdicts if verdict.label == "bad"]
            if cut.verdicts and cut.judged:
                require(cut.step in bad, "a cut at a step judged bad", f"{cut.step}, judged bad are {bad}")

    def judging_again_gives_the_same_cut(self) -> None:
        """By another instance with the same seed."""
        same([cut for *_, cut in self._judge_all()], [cut for *_, cut in self._judge_all()], "the cuts")

    def a_tree_whose_rewards_are_all_the_same_is_cut(self) -> None:
        """Nothing to tell good from bad by: the cut lies where it may all the same."""
        tree, leaves = _tree()
        for leaf in leaves:
            leaf.reward = 0.5
        good, *failures = (tree.trajectory(leaf) for leaf in leaves)
        for bad in failures:
            cut, _ = self._judge(tree, bad, good, {})
            require(divergence(bad, good) < cut.step <= len(bad.steps), f"a step in {_room(bad, good)}", cut.step)

    def remembered_verdicts_are_not_given_again(self) -> None:
        """A cut made from remembered verdicts is the same cut, and nothing new is remembered."""
        tree, leaves = _tree()
        good, bad = (tree.trajectory(leaf) for leaf in leaves[:2])
        first = self._judge(tree, bad, good, {})
        again = self._judge(tree, bad, good, first[1])
        same(first[0], again[0], "the cut")
        require(not again[1], "nothing new to remember", again[1])

    def closing_twice_is_fine(self) -> None:
        """``close`` may be called again."""

        async def close() -> None:
            critic = self._make()
            await critic.close()
            await critic.close()

        asyncio.run(close())

    def _judge_all(self) -> list[tuple[Trajectory, Trajectory, Cut]]:
        tree, leaves = _tree()
        good, *failures = (tree.trajectory(leaf) for leaf in leaves)
        return [(bad, good, self._judge(tree, bad, good, {}, answers)[0]) for bad in failures for answers in ANSWERS]

    def _judge(
        self,
        tree: Tree,
        bad: Trajectory,
        good: Trajectory,
        known: Mapping[int, Verdict],
        answers: tuple[str, ...] = NONSENSE,
    ) -> tuple[Cut, Mapping[int, Verdict]]:
        world = CounterEnvironment()

        async def distances(trajectory: Trajectory) -> list[float | None]:
            world.reset(trajectory.task)
            found = [world.distance()]
            for step in trajectory.steps:
                world.step(step.action or "")
                found.append(world.distance())
            return found

        async def judge() -> Cut:
            policy, branches = _says(answers), Branches(tree.task, EnvironmentPool(CounterEnvironment))
            context = TreeCritique(
                tree,
                policy,
                distances,
                domain=world.domain_of(tree.task),
                seed=3,
                session="1",
                known=known,
                player=NodePlayer(tree, branches, policy, session="1"),
            )
            critic = self._make()
            try:
                cut = await critic.judge(bad, good, context)
            finally:
                await critic.close()
            fresh.update(context.fresh)
            return cut

        fresh: dict[int, Verdict] = {}
        return asyncio.run(judge()), fresh


def _says(answers: tuple[str, ...]) -> AnyPolicy:
    return ScriptedPolicy(lambda messages, rng: rng.choice(answers))


def _tree() -> tuple[Tree, list[Node]]:
    """A tree of the attempts, really played, and their leaves; the first one succeeds."""
    world: AnyEnvironment = CounterEnvironment()
    task = world.task(TARGET)
    tree = Tree(task, head(world, task, world.reset(task)), seed=3)
    leaves = [_play(world, tree, attempt) for attempt in ATTEMPTS]
    for leaf in leaves:
        leaf.terminal = True
        for node in leaf.ancestors():
            node.visits += 1
            node.value_sum += leaf.reward
    return tree, leaves


def _play(world: AnyEnvironment, tree: Tree, actions: tuple[str, ...]) -> Node:
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
            invalid=bool(result.info.get("invalid")),
            state_key=world.state_key(),
        )
    return node


def _room(bad: Trajectory, good: Trajectory) -> str:
    return f"{divergence(bad, good) + 1} to {len(bad.steps)}"
