"""The searchers that make whole attempts, and beam search: what each one grows, worked out by hand."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from agentr_sampling.beam import Beam, path_likelihood
from agentr_sampling.branch import Branch
from agentr_sampling.config import BeamConfig, BranchConfig, ReflectConfig
from agentr_sampling.reflect import NOTE_CHARS, Reflect, Reflection, read

from agentr_core import Completion, Message, SampleRequest, Tree, UsageError
from agentr_core.records import Task
from agentr_core.testing.contract import Contract
from agentr_core.testing.fakes import CounterEnvironment, InstantPolicy, ScriptedPolicy
from agentr_core.testing.searchers import SearcherContract

SEARCHERS = {
    "branch": Branch(BranchConfig(attempts=2, rounds=2, nodes=2)),
    "branch at random": Branch(BranchConfig(attempts=2, rounds=2, nodes=2, choose="random")),
    "beam": Beam(BeamConfig(width=2, samples=2, again=1, again_temperature=1.5)),
    "reflect": Reflect(ReflectConfig(attempts=2, reflections=3)),
}


@pytest.mark.parametrize("name", SEARCHERS)
def test_the_contract(name: str) -> None:
    contract: Contract = SearcherContract(lambda: SEARCHERS[name])
    contract.verify()


class Endless(CounterEnvironment):
    """No action ends it: only the horizon does."""

    def reset(self, task: Task) -> str:
        return super().reset(task.model_copy(update={"metadata": {"target": 10**12}}))


class TestBranch:
    def test_every_draw_is_played_to_an_end(self, grow) -> None:
        grown = grow.one(Branch(BranchConfig(depth=5, attempts=3, rounds=2, nodes=4)), InstantPolicy(), world=Endless)
        tree = grown.tree
        assert tree.simulations == tree.root.visits == 3 + 2 * 4
        assert all(node.terminal or node.expanded for node in tree.nodes)
        assert sum(leaf.copies for leaf in tree.leaves()) == 11

    def test_shallow_goes_to_the_least_branched_node_that_is_nearest_to_the_root(self, grow) -> None:
        config = BranchConfig(depth=6, attempts=2, rounds=1, nodes=3, choose="shallow")
        tree = grow.one(Branch(config), InstantPolicy(), world=Endless).tree
        branched = Counter(node.depth for node in tree.nodes[1:] if len(node.children) > 1)
        assert branched == {1: 2, 2: 1}

    def test_spread_goes_where_the_rewards_differ(self) -> None:
        tree = Tree(Task(key="t", split="train", instruction=""), (), seed=0)
        mixed, failed = (tree.add(tree.root, expanded=True) for _ in range(2))
        for parent, rewards in ((mixed, (1.0, 0.0)), (failed, (0.0, 0.0, 0.0))):
            for reward in rewards:
                leaf = tree.add(parent, terminal=True, reward=reward)
                for node in leaf.ancestors():
                    node.visits += 1
                    node.value_sum += reward
        branch = Branch(BranchConfig(choose="spread", nodes=1))
        rngs = (random.Random(seed) for seed in range(20))
        assert {node for rng in rngs for node in branch.chosen(tree, rng)} == {mixed}

    def test_where_no_attempt_has_an_inside_it_starts_anew(self, grow) -> None:
        grown = grow.one(Branch(BranchConfig(depth=1, attempts=2, rounds=1, nodes=3)), InstantPolicy(), world=Endless)
        assert grown.tree.root.visits == 5
        assert {node.depth for node in grown.tree.nodes[1:]} == {1}


class TestBeam:
    def test_the_front_is_as_wide_as_asked_and_one_node_a_state(self, grow) -> None:
        grown = grow.one(Beam(BeamConfig(width=2, samples=4, depth=5)), InstantPolicy(), world=Endless)
        tree, expanded = grown.tree, Counter[int]()
        for node in tree.nodes:
            expanded[node.depth] += node.expanded
        assert expanded == {0: 1, 1: 2, 2: 2, 3: 2, 4: 2, 5: 0}
        assert tree.simulations == 5 and tree.root.exhausted
        for depth in range(5):
            states = [node.state_key for node in tree.nodes if node.depth == depth and node.expanded]
            assert len(set(states)) == len(states)

    def test_reward_ranks_first_and_likelihood_breaks_ties(self) -> None:
        tree = Tree(Task(key="t", split="train", instruction=""), (), seed=0)
        for state, (reward, logprob) in enumerate([(0.0, -0.1), (0.5, -3.0), (0.5, -1.0)]):
            said = Completion(text="", token_ids=(1, 2), logprobs=(logprob, logprob))
            tree.add(tree.root, reward=reward, completion=said, state_key=str(state))
        ranked = Beam(BeamConfig(width=2)).front(tree, 1)
        assert ranked == [tree.nodes[3], tree.nodes[2]]
        assert Beam(BeamConfig(width=2, score="likelihood")).front(tree, 1) == [tree.nodes[1], tree.nodes[3]]
        assert path_likelihood(tree.nodes[3]) == -1.0

    def test_likelihood_of_a_policy_that_tells_none_is_refused(self, grow) -> None:
        with pytest.raises(UsageError, match=r"begin another run with beam\.score=reward"):
            grow.one(Beam(BeamConfig(score="likelihood")), world=Endless)


class Reflecting(ScriptedPolicy):
    """Adds 2 at first; asked what was wrong it names the second step, and with a note in mind it adds 1."""

    def __init__(self) -> None:
        super().__init__(lambda messages, rng: self.say(messages))
        self.asked: list[SampleRequest] = []

    async def sample(self, request: SampleRequest) -> list[Completion]:
        self.asked.append(request)
        return await super().sample(request)

    @staticmethod
    def say(messages: tuple[Message, ...]) -> str:
        last = messages[-1].content
        if "Which step was the first mistake" in last:
            return "It went too far.\nStep: 2\nNote: add 1 in its place"
        if "You are at 5." in last:
            return "Action: stop"
        return "Action: add 1" if "Note: an earlier attempt" in last else "Action: add 2"


class TestReflect:
    def search(self, grow, **options: int) -> tuple[Reflecting, Tree]:
        policy = Reflecting()
        config = ReflectConfig(attempts=1, reflections=2, depth=4, **options)
        return policy, grow.one(Reflect(config), policy, first=1).tree  # count to 7: 3, 5, stop is wrong

    def test_it_goes_back_to_the_step_that_the_model_named_with_a_note_in_mind(self, grow) -> None:
        _, tree = self.search(grow)
        first = [node.action for node in tree.leaves()[0].path()]
        assert first == ["add 2", "add 2", "stop"]
        branch = tree.leaves()[1].path()
        assert [node.action for node in branch] == ["add 2", "add 1", "add 1", "stop"]
        kept = branch[1].info["search"]
        assert (kept["failed"], kept["step"], kept["named"]) == (tree.leaves()[0].index, 2, True)
        assert kept["note"] == (
            "Note: an earlier attempt did this at step 2 and failed: add 2\nDo something else there. add 1 in its place"
        )
        assert all(node.info["search"]["note"] == kept["note"] for node in branch[1:])
        assert "search" not in branch[0].info

    def test_what_is_learnt_is_the_branch_without_the_note(self, grow) -> None:
        policy, tree = self.search(grow)
        assert any("Note: an earlier" in asked.messages[-1].content for asked in policy.asked)
        for leaf in tree.leaves():
            assert not any("earlier attempt" in turn.content for turn in tree.trajectory(leaf).messages())

    def test_a_solved_task_needs_no_reflection(self, grow) -> None:
        policy = ScriptedPolicy(lambda messages, rng: "Action: stop" if "at 5" in messages[-1].content else "add 2")
        tree = grow.one(Reflect(ReflectConfig(attempts=2)), policy, first=0).tree
        assert (tree.simulations, tree.best_reward, tree.root.exhausted) == (2, 1.0, True)

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ("Step: 3\nNote: craft first", Reflection(3, "craft first", True)),
            ("**Step**: 2.\n**Note:** do\nmore", Reflection(2, "do", True)),
            ("Step: 9\nNote: x", Reflection(4, "x", False)),
            ("Step: 0000000001000", Reflection(4, "", False)),
            ("Step: 0", Reflection(4, "", False)),
            ("Thought: hm\nAction: get 1 log", Reflection(4, "", False)),
            ("", Reflection(4, "", False)),
            (f"Step: {'9' * 5000}", Reflection(4, "", False)),
            (f"Step: 1\nNote: {'y' * 900}", Reflection(1, "y" * NOTE_CHARS, True)),
        ],
    )
    def test_any_answer_is_read(self, answer: str, expected: Reflection) -> None:
        assert read(answer, 5, chance=4) == expected
