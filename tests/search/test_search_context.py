"""What a searcher is lent: the policy's answers made into children, whatever the policy answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from agentr_mcts.config import MCTSConfig
from agentr_mcts.search import MCTS

from agentr_core.errors import EnvironmentFailure, PluginError, PolicyFailure, UsageError
from agentr_core.interfaces.searcher import by_response
from agentr_core.interfaces.tree import Node, Tree
from agentr_core.interfaces.turn_parsing import CUT_OFF, EMPTY_ACTION, NO_ACTION, TWO_ACTIONS
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.records import Completion, SampleRequest, SamplingParams, StepResult, Task
from agentr_core.search.search_context import TreeContext
from agentr_core.testing.fakes import CounterEnvironment, ScriptedPolicy

PARAMS = SamplingParams(max_tokens=50)


class Recorder(ScriptedPolicy):
    """Gives ``answers`` in turn and keeps what it was asked."""

    def __init__(self, *answers: str, **options: Any) -> None:
        super().__init__(**options)
        self.answers, self.asked = answers, list[SampleRequest]()

    async def sample(self, request: SampleRequest) -> list[Completion]:
        self.asked.append(request)
        return [Completion(text=text) for text in self.answers[: request.n]]


async def no_store(tree: Tree, new: Sequence[Node], touched: Sequence[Node]) -> None:
    return None


async def open_tree(policy: ScriptedPolicy, world: type[CounterEnvironment] = CounterEnvironment) -> TreeContext:
    pool = EnvironmentPool(world)
    task = pool.reference.tasks("train")[5]
    return await TreeContext.open(task, pool=pool, policy=policy, save=no_store, seed=3, session="tree-1")


def expand(*answers: str, horizon: int | None = None, **options: Any) -> tuple[TreeContext, list[Node]]:
    async def play() -> tuple[TreeContext, list[Node]]:
        context = await open_tree(Recorder(*answers))
        return context, await context.expand(context.tree.root, len(answers), PARAMS, horizon=horizon, **options)

    return asyncio.run(play())


def test_equal_actions_are_merged_before_the_environment_is_stepped() -> None:
    context, children = expand("Thought: a\nAction: add 1", "Action: add 2", "Thought: b\nAction: add 1")
    assert [(child.action, child.copies, child.observation) for child in children] == [
        ("add 1", 2, "You are at 2."),
        ("add 2", 1, "You are at 3."),
    ]
    assert children[0].response == "Thought: a\nAction: add 1"
    assert children[0].completion == Completion(text="Thought: a\nAction: add 1")
    assert context.tree.root.expanded and context.tree.root.children == children
    assert context.branches.stats.steps == 2
    assert (context.stats.requests, context.stats.samples) == (1, 3)


def test_different_answers_with_one_action_share_one_environment_step() -> None:
    context, children = expand("Thought: a\nAction: add 1", "Thought: b\nAction: add 1", merge=by_response)
    assert [child.observation for child in children] == ["You are at 2.", "You are at 2."]
    assert context.branches.stats.steps == 1


@pytest.mark.parametrize(
    ("answer", "observation"),
    [
        ("", EMPTY_ACTION),
        ("\x00\x1b", EMPTY_ACTION),
        ("Thought: I wonder.", NO_ACTION),
        ("Action: add 1\nAction: add 2", TWO_ACTIONS),
        ("Thought: well\n" + "word " * 10_000, NO_ACTION),
        ("Action: " + "word " * 10_000, "Error: The action is longer than 2000 characters."),
    ],
)
def test_an_answer_without_an_action_is_told_so_and_the_world_stands_still(answer: str, observation: str) -> None:
    context, [child] = expand(answer)
    assert (child.action, child.observation, child.invalid) == (None, observation, True)
    assert child.response == answer
    assert child.state_key == context.tree.root.state_key
    assert not child.terminal
    assert context.branches.stats.steps == 0


def test_control_characters_never_reach_the_environment() -> None:
    _, [child] = expand("Thought: \x07\nAction: \x00add\x1b1\x7f")
    assert child.action == "add 1"
    assert child.observation == "You are at 2."


def test_the_revision_action_costs_no_step_and_keeps_the_reward() -> None:
    async def play() -> tuple[TreeContext, Node]:
        context = await open_tree(Recorder("Thought: wrong\nAction: revise"))
        child = context.tree.add(context.tree.root, response="a", observation="b", reward=0.25, score=25.0)
        [revised] = await context.expand(child, 1, PARAMS)
        return context, revised

    context, revised = asyncio.run(play())
    assert (revised.action, revised.observation, revised.invalid) == ("revise", "ok.", False)
    assert (revised.reward, revised.score) == (0.25, 25.0)
    assert context.branches.stats.steps == 0


def test_samples_that_equal_an_earlier_child_are_copies_of_it() -> None:
    async def play() -> tuple[TreeContext, list[list[int]]]:
        context = await open_tree(Recorder("Action: add 1", "Action: add 2"))
        first = await context.expand(context.tree.root, 1, PARAMS)
        second = await context.expand(context.tree.root, 2, PARAMS)
        return context, [[node.index for node in nodes] for nodes in (first, second)]

    context, indexes = asyncio.run(play())
    assert indexes == [[1], [1, 2]]
    assert [node.copies for node in context.tree.nodes] == [1, 2, 1]


def test_the_policy_gets_the_conversation_the_task_and_a_seed_of_its_own() -> None:
    async def play() -> tuple[TreeContext, Recorder]:
        context = await open_tree(policy := Recorder("Action: add 1", "Action: add 2"))
        [child, _] = await context.expand(context.tree.root, 2, PARAMS)
        await context.sample(child, 1, PARAMS)
        await context.sample(child, 1, PARAMS)
        await context.commit()
        await context.sample(child, 1, PARAMS)
        return context, policy

    context, policy = asyncio.run(play())
    child = context.tree.nodes[1]
    assert policy.asked[0].messages == context.tree.head
    assert list(policy.asked[1].messages) == context.tree.messages(child)
    assert [call.n for call in policy.asked] == [2, 1, 1, 1]
    assert len({call.seed for call in policy.asked}) == 4
    assert {call.session for call in policy.asked} == {"tree-1"}
    assert [call.task for call in policy.asked] == [context.tree.task] * 4


def test_a_long_conversation_is_trimmed_to_the_context() -> None:
    async def play() -> tuple[TreeContext, Recorder]:
        context = await open_tree(policy := Recorder("Action: jump", context_length=170))
        node = context.tree.root
        for _ in range(12):
            [node] = await context.expand(node, 1, PARAMS)
        return context, policy

    context, policy = asyncio.run(play())
    whole = context.tree.messages(context.tree.nodes[11])
    asked = list(policy.asked[-1].messages)
    assert asked[:2] == whole[:2]
    assert asked[2:] == whole[-len(asked[2:]) :]
    assert 4 < len(asked) < len(whole)
    assert all(policy.count_tokens(call.messages) <= 120 for call in policy.asked)


@pytest.mark.parametrize("answers", [(), (Completion(text="", finish_reason="error"),)])
def test_a_policy_without_an_answer_fails_the_task(answers: tuple[Completion, ...]) -> None:
    class Mute(ScriptedPolicy):
        async def sample(self, request: SampleRequest) -> list[Completion]:
            return list(answers)

    async def play() -> None:
        context = await open_tree(Mute())
        await context.expand(context.tree.root, 4, PARAMS)

    with pytest.raises(PolicyFailure, match=r"'scripted-fake' gave no usable completion on task 'count_15' \(4 were"):
        asyncio.run(play())


def test_a_policy_that_raises_fails_the_task() -> None:
    class Broken(ScriptedPolicy):
        async def sample(self, request: SampleRequest) -> list[Completion]:
            raise ConnectionError("refused")

    async def play() -> None:
        context = await open_tree(Broken())
        await context.expand(context.tree.root, 4, PARAMS)

    with pytest.raises(PolicyFailure, match="failed on task 'count_15': ConnectionError: refused"):
        asyncio.run(play())


@pytest.mark.parametrize("leaves_in_flight", [1, 3])
def test_an_environment_that_raises_in_the_middle_of_a_tree_fails_it(grow, leaves_in_flight: int) -> None:
    class Tired(CounterEnvironment):
        steps = 0

        def step(self, action: str) -> StepResult:
            Tired.steps += 1
            if Tired.steps == 30:
                raise OSError("gone")
            return super().step(action)

    with pytest.raises(EnvironmentFailure, match="OSError: gone"):
        grow.one(MCTS(MCTSConfig(leaves_in_flight=leaves_in_flight)), world=Tired, first=5)


def test_an_environment_that_breaks_before_the_first_observation_fails_the_task(grow) -> None:
    class Dead(CounterEnvironment):
        def reset(self, task: Task) -> str:
            raise OSError("no port")

    class Picky(CounterEnvironment):
        def reset(self, task: Task) -> str:
            raise UsageError("goal unknown")

    with pytest.raises(EnvironmentFailure, match="no port"):
        grow.one(MCTS(MCTSConfig()), world=Dead)
    with pytest.raises(UsageError, match="goal unknown"):
        grow.one(MCTS(MCTSConfig()), world=Picky)


def test_children_at_the_horizon_are_terminal() -> None:
    _, [child] = expand("Action: add 1", horizon=1)
    assert (child.terminal, child.terminated, child.truncated) == (True, False, False)
    _, [child] = expand("Action: add 1", horizon=2)
    assert not child.terminal


def test_concurrent_expansions_append_in_the_order_of_the_calls() -> None:
    class Backwards(ScriptedPolicy):
        """The first request is answered last."""

        async def sample(self, request: SampleRequest) -> list[Completion]:
            self.requests += 1
            for _ in range(60 // self.requests):
                await asyncio.sleep(0)
            return [Completion(text=f"Action: {action}") for action in ("add 1", "add 2", "double")]

    async def play() -> list[int]:
        context = await open_tree(policy := Backwards())
        first = await context.expand(context.tree.root, 3, PARAMS)
        policy.requests = 0
        await asyncio.gather(*(context.expand(child, 3, PARAMS) for child in first))
        return [node.parent.index for node in context.tree.nodes[4:] if node.parent]

    assert asyncio.run(play()) == [1, 1, 1, 2, 2, 2, 3, 3, 3]


class CutOff(Recorder):
    """Every answer ended because it had become too long."""

    async def sample(self, request: SampleRequest) -> list[Completion]:
        answers = await super().sample(request)
        return [answer.model_copy(update={"finish_reason": "length"}) for answer in answers]


@pytest.mark.parametrize(
    ("answer", "action", "observation"),
    [
        ("Thought: a\nAction: add", None, CUT_OFF),
        ("Thought: I think about how I could", None, CUT_OFF),
        ("Thought: a\nAction: add 1\nObservation: You are", "add 1", "You are at 2."),
    ],
)
def test_a_turn_that_was_cut_off_is_done_only_where_its_action_is_whole(answer, action, observation) -> None:
    async def play() -> list[Node]:
        context = await open_tree(CutOff(answer))
        return await context.expand(context.tree.root, 1, PARAMS)

    (child,) = asyncio.run(play())
    assert (child.action, child.observation, child.cut_off) == (action, observation, True)
    assert child.step().cut_off


class Endless(CounterEnvironment):
    """Answers 'jump' with more than any context holds."""

    def step(self, action: str) -> StepResult:
        result = super().step(action)
        return result.model_copy(update={"observation": "no " * 5_000}) if action == "jump" else result


def test_a_node_whose_conversation_no_longer_fits_is_an_end_and_the_tree_goes_on() -> None:
    async def play() -> tuple[TreeContext, list[Node]]:
        context = await open_tree(Recorder("Action: jump", "Action: add 1", context_length=2_000), Endless)
        return context, await context.expand(context.tree.root, 2, PARAMS)

    context, (full, fine) = asyncio.run(play())
    assert (full.terminal, full.truncated, full.info["context_full"]) == (True, True, True)
    assert (fine.terminal, fine.truncated) == (False, False)
    assert context.tree.leaves() == [full]


def test_a_search_of_a_world_with_endless_observations_fails_no_tree(grow) -> None:
    grown = grow.many(
        MCTS(MCTSConfig(simulations=4, depth=6)), ScriptedPolicy(context_length=2_000), world=Endless, trees=6
    )
    assert [each.tree.simulations for each in grown] == [4] * 6
    full = [node for each in grown for node in each.tree.nodes if node.info.get("context_full")]
    assert full and all(node.visits == node.copies or node.visits == 1 for node in full)


class Stubborn(Recorder):
    """Says the first answer while it is cool, and all of them in turn when it is hot."""

    async def sample(self, request: SampleRequest) -> list[Completion]:
        self.asked.append(request)
        said = self.answers if request.params.temperature > 1 else self.answers[:1] * request.n
        return [Completion(text=text) for text in said[: request.n]]


def test_what_is_a_copy_is_asked_for_again_and_only_that() -> None:
    policy = Stubborn("Action: add 1", "Action: add 2", "Action: double")
    hot = PARAMS.model_copy(update={"temperature": 1.5})

    async def play() -> tuple[TreeContext, list[Node], list[Node]]:
        context = await open_tree(policy)
        first = await context.expand(context.tree.root, 3, PARAMS, again=[PARAMS, hot, hot])
        return context, first, await context.expand(context.tree.root, 1, PARAMS, again=[hot])

    context, first, second = asyncio.run(play())
    asked = [(request.n, request.params.temperature) for request in policy.asked]
    assert asked == [(3, 1.0), (2, 1.0), (2, 1.5), (1, 1.5), (1, 1.0), (1, 1.5)]
    kept = [(child.action, child.copies, child.info.get("search")) for child in context.tree.root.children]
    # Seven samples for two ways, then two more: a hot draw says so, its log-probabilities are not those of the draw.
    assert kept == [("add 1", 9, None), ("add 2", 1, {"temperature": 1.5})]
    assert len({request.seed for request in policy.asked}) == len(policy.asked)
    assert second == [first[0]], "what came out as a copy again is the child that was there"


def test_a_note_is_told_at_the_end_and_is_no_part_of_the_tree() -> None:
    policy = Recorder("Action: add 1")

    async def play() -> TreeContext:
        context = await open_tree(policy)
        [child] = await context.expand(context.tree.root, 1, PARAMS, note="Mind the step.", keep={"failed": 3})
        await context.expand(child, 1, PARAMS)
        return context

    context = asyncio.run(play())
    child = context.tree.nodes[1]
    with_note, without = ([turn.content for turn in asked.messages] for asked in policy.asked)
    assert with_note[-1] == f"{context.tree.head[-1].content}\n\nMind the step."
    assert without[:2] == [turn.content for turn in context.tree.head] and "Mind" not in " ".join(without)
    assert child.info["search"] == {"failed": 3, "note": "Mind the step."}
    assert "Mind" not in " ".join(turn.content for turn in context.tree.trajectory(context.tree.nodes[2]).messages())


def test_a_note_that_leaves_no_room_for_an_answer_is_not_told() -> None:
    async def play() -> tuple[Recorder, Node]:
        policy = Recorder("Action: add 1", context_length=200)
        context = await open_tree(policy)
        return policy, (await context.expand(context.tree.root, 1, PARAMS, note="long " * 200))[0]

    policy, child = asyncio.run(play())
    assert "long" not in policy.asked[0].messages[-1].content
    assert child.info == {}


def test_of_what_was_drawn_only_what_is_chosen_is_done() -> None:
    """Turns are chosen after they are merged; children say of how many draws they were chosen."""
    seen: list[Sequence[str]] = []

    async def choose(node: Node, turns: Sequence[str]) -> list[int]:
        seen.append(turns)
        return [1]

    answers = ("Action: add 1", "Action: add 2", "Action: add 1", "Action: double")
    context, children = expand(*answers, choose=choose)
    assert seen == [["Action: add 1", "Action: add 2", "Action: double"]]
    assert [(child.action, child.info["search"]) for child in children] == [("add 2", {"chosen_of": 4})]
    assert context.branches.stats.steps == 1, "the others were never done"


def test_a_searcher_that_chooses_nothing_is_told_so() -> None:
    async def none(node: Node, turns: Sequence[str]) -> list[int]:
        return []

    with pytest.raises(PluginError, match="chose none of 2 turns at node 0"):
        expand("Action: add 1", "Action: add 2", choose=none)
