<<<<<<< HEAD
"""A contract is worth what it refuses: for each rule, a plugin that breaks it and nothing it must not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar
=======
"""The contract checks find what they are for: each rule is broken once, and that rule alone complains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
>>>>>>> main

import pytest

from agentr_core import (
    Checkpoint,
    Completion,
    ContractError,
    Critic,
<<<<<<< HEAD
    Cut,
    NothingToDo,
    PluginConfig,
    SamplingParams,
    Searcher,
    StepResult,
    Trainer,
    TrainingSet,
    UsageError,
    Verdict,
    derive_rng,
=======
    CritiqueContext,
    Cut,
    Node,
    PluginConfig,
    Report,
    SamplingParams,
    SearchContext,
    Searcher,
    Snapshot,
    StepResult,
    Task,
    Trainer,
    TrainingSet,
    Trajectory,
    Tree,
    UsageError,
    Verdict,
>>>>>>> main
)
from agentr_core.testing import (
    CounterConfig,
    CounterEnvironment,
    ScriptedPolicy,
<<<<<<< HEAD
    check_plugin_module,
)
from agentr_core.testing.contract import Contract
from agentr_core.testing.critics import CriticContract
from agentr_core.testing.environments import EnvironmentContract
from agentr_core.testing.policies import PolicyContract
from agentr_core.testing.searchers import SearcherContract
from agentr_core.testing.trainers import TrainerContract


def broken(contract: Contract) -> dict[str, ContractError]:
    """The rules that do not hold, by name without the subject."""
    found = {}
    for check in contract.checks():
        try:
            check()
        except ContractError as error:
            assert error.rule == check.rule and error.expected and error.got
            found[check.rule.partition(": ")[2]] = error
    return found


# --------------------------------------------------------------------------------------------------- environments


class Forgetful(CounterEnvironment):
    """The order of its tasks changes."""

    calls = 0

    def tasks(self, split: str) -> Any:
        Forgetful.calls += 1
        tasks = list(super().tasks(split))
        return tasks[::-1] if Forgetful.calls % 3 else tasks


class Twins(CounterEnvironment):
    """Two tasks with one key."""

    def tasks(self, split: str) -> Any:
        return [*super().tasks(split), super().tasks(split)[0]]


class AnySplit(CounterEnvironment):
    def tasks(self, split: str) -> Any:
        return super().tasks(split if split in self.splits() else "train")


class Silent(CounterEnvironment):
=======
    check_critic,
    check_environment,
    check_plugin_module,
    check_policy,
    check_searcher,
    check_trainer,
)


def broken_rule(check: Callable[..., None], *arguments: Any) -> str:
    with pytest.raises(ContractError) as caught:
        check(*arguments)
    assert caught.value.expected and caught.value.got
    return caught.value.rule.partition(": ")[2]


def test_the_fakes_keep_their_contracts() -> None:
    check_environment(CounterEnvironment)
    check_policy(ScriptedPolicy)


class Shuffled(CounterEnvironment):
    """Tasks come in another order in every instance."""

    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1
        self._odd = type(self).made % 2

    def tasks(self, split: str) -> Sequence[Task]:
        return super().tasks(split)[:: -1 if self._odd else 1]


class Lenient(CounterEnvironment):
    """An unknown split is empty."""

    def tasks(self, split: str) -> Sequence[Task]:
        return super().tasks(split) if split in self.splits() else ()


class Mute(CounterEnvironment):
    """Says nothing about its rules."""

>>>>>>> main
    def instructions(self) -> str:
        return " "


<<<<<<< HEAD
class Moody(CounterEnvironment):
    """Counts its episodes, and shows it."""

    episodes = 0

    def reset(self, task: Any) -> str:
        self.episodes += 1
        return f"{super().reset(task)} Episode {self.episodes}."


class Shared(CounterEnvironment):
    """The number is the class's, not the instance's."""

    board: ClassVar[dict[str, int]] = {}

    def step(self, action: str) -> StepResult:
        self._count = self.board.get("count", self._count)
        result = super().step(action)
        self.board["count"] = self._count
        return result

    def reset(self, task: Any) -> str:
        self.board["count"] = 1
        return super().reset(task)

    def restore(self, snapshot: Any) -> None:
        super().restore(snapshot)
        self.board["count"] = self._count


class HalfSnapshot(CounterEnvironment):
    """The number is not part of the picture."""

    def restore(self, snapshot: Any) -> None:
        count = self._count
        super().restore(snapshot)
        self._count = count


class Touchy(CounterEnvironment):
    def step(self, action: str) -> StepResult:
        if "\x00" in action:
            raise ValueError("a null byte")
        return super().step(action)


class Generous(CounterEnvironment):
=======
class Forgetful(CounterEnvironment):
    """Reset leaves the count of steps as it was, and shows it."""

    total = 0

    def step(self, action: str) -> StepResult:
        self.total += 1
        return super().step(action).model_copy(update={"observation": f"step {self.total}"})


class HalfSnapshot(CounterEnvironment):
    """A snapshot that forgets the count."""

    def restore(self, snapshot: Snapshot) -> None:
        target, _, steps, running = snapshot
        super().restore((target, 1, steps, running))


class Fragile(CounterEnvironment):
    """Cannot bear an empty action."""

    def step(self, action: str) -> StepResult:
        return super().step(action) if action[0] else super().step("")


class Overpaid(CounterEnvironment):
    """A reward above 1, past the check of the record."""

>>>>>>> main
    def step(self, action: str) -> StepResult:
        result = super().step(action)
        return result.model_copy(update={"reward": 2 * result.reward})


<<<<<<< HEAD
class Numeric(CounterEnvironment):
    def step(self, action: str) -> StepResult:
        result = super().step(action)
        return result.model_copy(update={"terminated": int(result.terminated)})


class Opaque(CounterEnvironment):
    def step(self, action: str) -> StepResult:
        return super().step(action).model_copy(update={"info": {"self": self}})


class Lost(CounterEnvironment):
    def distance(self) -> float | None:
        return -1.0
=======
class Opaque(CounterEnvironment):
    """Puts an object into info."""

    def step(self, action: str) -> StepResult:
        return super().step(action).model_copy(update={"info": {"self": self.config}})
>>>>>>> main


class Endless(CounterEnvironment):
    """Goes on after the end."""

    def step(self, action: str) -> StepResult:
<<<<<<< HEAD
        if not self._running:
            return self._result("Nothing happens.")
        return super().step(action)


class Boaster(CounterEnvironment):
    def demonstrate(self, task: Any) -> Sequence[str]:
        return ("add 1", "stop")


class Once(CounterEnvironment):
    closed = False

    def close(self) -> None:
        assert not self.closed, "closed already"
        self.closed = True


ENVIRONMENTS = {
    Forgetful: "tasks are stable",
    Twins: "tasks are stable",
    AnySplit: "unknown splits and keys are usage errors",
    Silent: "instructions are text",
    Moody: "the same actions have the same effect",
    Shared: "instances share no state",
    HalfSnapshot: "snapshots restore the state",
    Touchy: "any text is answered",
    Generous: "results are plain data",
    Numeric: "results are plain data",
    Opaque: "results are plain data",
    Lost: "results are plain data",
    Endless: "steps before reset and after the end are errors",
    Boaster: "demonstrations succeed",
    Once: "closing twice is fine",
}


@pytest.mark.parametrize(("world", "rule"), ENVIRONMENTS.items(), ids=lambda item: getattr(item, "__name__", None))
def test_environment_rule_can_fail(world: type[CounterEnvironment], rule: str) -> None:
    assert rule in broken(EnvironmentContract(lambda: world(CounterConfig(tasks=6)), tasks=3))


def test_every_environment_rule_has_a_plugin_that_breaks_it() -> None:
    rules = {check.rule.partition(": ")[2] for check in EnvironmentContract(CounterEnvironment).checks()}
    assert rules == set(ENVIRONMENTS.values())
    assert broken(EnvironmentContract(CounterEnvironment)) == {}


# ------------------------------------------------------------------------------------------------------- policies


class Nameless(ScriptedPolicy):
    model = ""  # type: ignore[assignment]


class Short(ScriptedPolicy):
    async def sample(self, messages: Any, *, n: int, **rest: Any) -> list[Completion]:
        return (await super().sample(messages, n=n, **rest))[:1]


class Drifting(ScriptedPolicy):
    """Says which call of the process this is."""

    calls = 0

    async def sample(self, messages: Any, *, n: int, **rest: Any) -> list[Completion]:
        Drifting.calls += 1
        return [Completion(text=f"call {Drifting.calls}")] * n


class Crowded(ScriptedPolicy):
    """Says which call of this instance this is."""

    async def sample(self, messages: Any, *, n: int, **rest: Any) -> list[Completion]:
        self.requests += 1
        return [Completion(text=f"call {self.requests}")] * n


class Chatty(ScriptedPolicy):
    async def sample(self, messages: Any, *, n: int, params: Any, **rest: Any) -> list[Completion]:
        return [Completion(text="e" * 99, token_ids=tuple(range(99)), logprobs=(0.5,))] * n


class Certain(ScriptedPolicy):
    async def score(self, messages: Any, completion: str) -> list[float]:
        return [0.7]


class Uncounted(ScriptedPolicy):
    def count_tokens(self, messages: Any) -> int:
        return 1


class Fragile(ScriptedPolicy):
    """Breaks on a long prompt, on control characters and on questions."""

    async def sample(self, messages: Any, *, n: int, **rest: Any) -> list[Completion]:
        if len(messages[-1].content) > 10_000 or "\x00" in messages[-1].content or rest.get("purpose") == "judge":
            raise IndexError("out of range")
        return await super().sample(messages, n=n, **rest)


class ClosedOnce(ScriptedPolicy):
    closed = False

    async def close(self) -> None:
        assert not self.closed, "closed already"
        self.closed = True


POLICIES = {
    Nameless: {"it gives as many answers as were asked for"},
    Short: {"it gives as many answers as were asked for", "a critics question is answered"},
    Drifting: {"the same seed gives the same answers"},
    Crowded: {"an answer does not depend on what else is in flight"},
    Chatty: {"token ids and logprobs fit together", "stop strings are not in the text"},
    Certain: {"scores are logprobs"},
    Uncounted: {"counting tokens grows with the conversation"},
    Fragile: {
        "a conversation that is too long is answered or refused",
        "odd text is answered",
        "a critics question is answered",
    },
    ClosedOnce: {"closing twice is fine"},
}


@pytest.mark.parametrize(("policy", "expected"), POLICIES.items(), ids=lambda item: getattr(item, "__name__", None))
def test_policy_rule_can_fail(policy: type[ScriptedPolicy], expected: set[str]) -> None:
    assert expected <= set(broken(PolicyContract(policy)))


def test_every_policy_rule_has_a_plugin_that_breaks_it() -> None:
    rules = {check.rule.partition(": ")[2] for check in PolicyContract(ScriptedPolicy).checks()}
    assert rules == set().union(*POLICIES.values())
    assert broken(PolicyContract(ScriptedPolicy)) == {}


# ------------------------------------------------------------------------------------------------------ searchers


class Walk(Searcher[PluginConfig]):
    """Three attempts, each a walk down the first child; the base that the broken ones change in one place."""

    simulations = 3  # type: ignore[assignment]
    backs_up = commits = listens = True
=======
        self._running = True
        return super().step(action)


class BadTeacher(CounterEnvironment):
    """Its expert gives up."""

    def demonstrate(self, task: Task) -> Sequence[str]:
        return ("stop",)


class OnceClosed(CounterEnvironment):
    """A second close fails."""

    closed = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


@pytest.mark.parametrize(
    ("world", "rule"),
    [
        (Shuffled, "tasks are stable"),
        (Lenient, "unknown splits and keys are usage errors"),
        (Mute, "instructions are text"),
        (Forgetful, "the same actions have the same effect"),
        (HalfSnapshot, "snapshots restore the state"),
        (Fragile, "any text is answered"),
        (Overpaid, "results are plain data"),
        (Opaque, "any text is answered"),
        (Endless, "steps before reset and after the end are errors"),
        (BadTeacher, "demonstrations succeed"),
        (OnceClosed, "closing twice is fine"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_an_environment_that_breaks_a_rule(world: type[CounterEnvironment], rule: str) -> None:
    assert broken_rule(check_environment, world) == rule


def test_an_environment_without_snapshots_or_experts_is_fine() -> None:
    class Bare(CounterEnvironment):
        supports_snapshot = False

        def __init__(self) -> None:
            super().__init__(CounterConfig(max_steps=9))

        def demonstrate(self, task: Task) -> None:  # type: ignore[override]
            return None

        def distance(self) -> None:
            return None

    check_environment(Bare)


class Policies:
    """Policies that break a rule each."""

    class TooFew(ScriptedPolicy):
        async def sample(self, *arguments: Any, **options: Any) -> list[Completion]:
            return (await super().sample(*arguments, **options))[:1]

    class Moody(ScriptedPolicy):
        asked = 0

        async def sample(self, *arguments: Any, **options: Any) -> list[Completion]:
            type(self).asked += 1
            return [Completion(text=f"answer {self.asked}")] * options["n"]

    class Crowded(ScriptedPolicy):
        async def sample(self, *arguments: Any, **options: Any) -> list[Completion]:
            import asyncio

            self.requests += 1
            await asyncio.sleep(0)
            return [Completion(text=f"one of {self.requests}")] * options["n"]

    class Odd(ScriptedPolicy):
        async def sample(self, *arguments: Any, **options: Any) -> list[Completion]:
            return [Completion(text="a", token_ids=(1, 2), logprobs=(-1.0,))] * options["n"]

    class Unstoppable(ScriptedPolicy):
        async def sample(self, *arguments: Any, **options: Any) -> list[Completion]:
            return [Completion(text="hello there", token_ids=(1, 2), logprobs=(-1.0, -1.0))] * options["n"]

    class Certain(ScriptedPolicy):
        async def score(self, messages: Any, completion: str) -> list[float]:
            return [0.5]

    class Blind(ScriptedPolicy):
        def count_tokens(self, messages: Any) -> int:
            return 7


@pytest.mark.parametrize(
    ("policy", "rule"),
    [
        (Policies.TooFew, "it gives as many answers as were asked for"),
        (Policies.Moody, "the same seed gives the same answers"),
        (Policies.Crowded, "an answer does not depend on what else is in flight"),
        (Policies.Odd, "token ids and logprobs fit together"),
        (Policies.Unstoppable, "stop strings are not in the text"),
        (Policies.Certain, "scores are logprobs"),
        (Policies.Blind, "counting tokens grows with the conversation"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_policy_that_breaks_a_rule(policy: type[ScriptedPolicy], rule: str) -> None:
    assert broken_rule(check_policy, policy) == rule


class Lines(Searcher[PluginConfig]):
    """Two straight attempts; subclasses do one thing wrong."""

    attempts, budget = 2, 2
>>>>>>> main

    def __init__(self) -> None:
        super().__init__(PluginConfig())

<<<<<<< HEAD
    def rng(self, context: Any) -> Any:
        return context.rng("walk", context.tree.simulations)

    async def search(self, task: Any, context: Any) -> Any:
        while context.tree.simulations < self.simulations and not (self.listens and context.stopping):
            node = context.tree.root
            while not node.terminal:
                children = node.children or await context.expand(node, 2, _PARAMS, horizon=8)
                node = self.rng(context).choice(children)
            self.backup(node)
            if self.commits:
                await context.commit()
            else:
                context.tree.simulations += 1
        return context.tree

    def backup(self, leaf: Any) -> None:
=======
    @property
    def simulations(self) -> int:
        return self.budget

    def going_on(self, context: SearchContext) -> bool:
        return context.tree.simulations < self.attempts and not context.stopping

    async def search(self, task: Task, context: SearchContext) -> Tree:
        while self.going_on(context):
            node = context.tree.root
            while not node.terminal:
                [node] = await self.step(context, node)
            self.backup(node)
            await self.done(context)
        return context.tree

    async def step(self, context: SearchContext, node: Node) -> list[Node]:
        return await context.expand(node, 1, SamplingParams(), horizon=20)

    def backup(self, leaf: Node) -> None:
>>>>>>> main
        for node in leaf.ancestors():
            node.visits += 1
            node.value_sum += leaf.reward

<<<<<<< HEAD

_PARAMS = SamplingParams()


class Greedier(Walk):
    """Spends more than it says."""

    async def search(self, task: Any, context: Any) -> Any:
        self.simulations = 5  # type: ignore[misc]
        tree = await super().search(task, context)
        self.simulations = 3  # type: ignore[misc]
        return tree


class Misplacing(Walk):
    async def search(self, task: Any, context: Any) -> Any:
        tree = await super().search(task, context)
        tree.nodes[-1].depth += 1
        return tree


class LeafOnly(Walk):
    """Counts visits at ends alone."""

    def backup(self, leaf: Any) -> None:
        leaf.visits += 1


class Unfinished(Walk):
    async def search(self, task: Any, context: Any) -> Any:
        await context.expand(context.tree.root, 1, _PARAMS)
        for node in context.tree.nodes:
            node.terminal = False
=======
    async def done(self, context: SearchContext) -> None:
        await context.commit()


class Spender(Lines):
    attempts = 3


class Unsound(Lines):
    def backup(self, leaf: Node) -> None:
        leaf.visits += 1
        leaf.value_sum += leaf.reward


class Greedless(Lines):
    async def search(self, task: Task, context: SearchContext) -> Tree:
        await self.step(context, context.tree.root)
>>>>>>> main
        await context.commit()
        return context.tree


<<<<<<< HEAD
class Secretive(Walk):
    commits = False


class Restless(Walk):
    """Draws from a generator of its own."""

    draws = 0

    def rng(self, context: Any) -> Any:
        Restless.draws += 1
        return derive_rng(Restless.draws)


class Stateful(Walk):
    """Keeps what belongs to a tree on itself."""

    turn = 0

    def rng(self, context: Any) -> Any:
        self.turn += 1
        return derive_rng(context.tree.seed, self.turn)


class Deaf(Walk):
    listens = False


class Impatient(Walk):
    """Gives up where an answer holds no action."""

    async def search(self, task: Any, context: Any) -> Any:
        tree = await super().search(task, context)
        if all(node.invalid for node in tree.nodes[1:]):
            raise ZeroDivisionError("no action at all")
        return tree


SEARCHERS = {
    Greedier: "the budget is kept",
    Misplacing: "every node has its place",
    LeafOnly: "visits and values add up",
    Unfinished: "there is something to compare",
    Secretive: "every node is committed once",
    Restless: "the same seed grows the same tree",
    Stateful: "trees in flight do not disturb each other",
    Deaf: "it stops when told",
    Impatient: "a policy without ideas does no harm",
}


@pytest.mark.parametrize(("searcher", "rule"), SEARCHERS.items(), ids=lambda item: getattr(item, "__name__", None))
def test_searcher_rule_can_fail(searcher: type[Walk], rule: str) -> None:
    assert rule in broken(SearcherContract(searcher))


def test_every_searcher_rule_has_a_plugin_that_breaks_it() -> None:
    rules = {check.rule.partition(": ")[2] for check in SearcherContract(Walk).checks()}
    resumed = "an interrupted tree becomes the tree it would have been"
    assert rules == {*SEARCHERS.values(), resumed}
    assert broken(SearcherContract(Walk)) == {}
    assert resumed in broken(SearcherContract(Stateful))


# -------------------------------------------------------------------------------------------------------- critics


class Fixed(Critic[PluginConfig]):
    """Cuts after the last step; the base that the broken ones change in one place."""
=======
class Random(Lines):
    made = 0

    def __init__(self) -> None:
        super().__init__()
        type(self).made += 1

    @property
    def simulations(self) -> int:
        return 9

    def going_on(self, context: SearchContext) -> bool:
        return context.tree.simulations < 1 + type(self).made % 2 and not context.stopping


class Deaf(Lines):
    def going_on(self, context: SearchContext) -> bool:
        return context.tree.simulations < self.attempts


class Memory(Lines):
    """What it knows of the tree is not in the tree."""

    def __init__(self) -> None:
        super().__init__()
        self._here = 0

    def going_on(self, context: SearchContext) -> bool:
        return self._here < self.attempts and not context.stopping

    @property
    def simulations(self) -> int:
        return 9

    async def done(self, context: SearchContext) -> None:
        self._here += 1
        await super().done(context)


@pytest.mark.parametrize(
    ("searcher", "rule"),
    [
        (Spender, "the budget is kept"),
        (Unsound, "visits and values add up"),
        (Greedless, "there is something to compare"),
        (Random, "the same seed grows the same tree"),
        (Deaf, "it stops when told"),
        (Memory, "an interrupted tree becomes the tree it would have been"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_searcher_that_breaks_a_rule(searcher: type[Lines], rule: str) -> None:
    check_searcher(Lines)
    assert broken_rule(check_searcher, searcher) == rule


class FixedCritic(Critic[PluginConfig]):
    """Answers with a cut made by a function."""

    calls = 0

    def __init__(self, cut: Callable[[Trajectory, Trajectory], Cut]) -> None:
        super().__init__(PluginConfig())
        self._cut = cut

    async def judge(self, bad: Trajectory, good: Trajectory, context: CritiqueContext) -> Cut:
        type(self).calls += 1
        return self._cut(bad, good)


def verdict(step: int, label: str = "bad") -> Verdict:
    return Verdict.model_validate({"step": step, "label": label})


@pytest.mark.parametrize(
    ("cut", "rule"),
    [
        (lambda bad, good: Cut(step=1), "the cut lies after the divergence"),
        (lambda bad, good: Cut(step=len(bad.steps) + 1), "the cut lies after the divergence"),
        (
            lambda bad, good: Cut(step=len(bad.steps), judged=False, verdicts=(verdict(1, "good"),)),
            "verdicts are about steps after the divergence",
        ),
        (
            lambda bad, good: Cut(step=len(bad.steps), verdicts=(verdict(len(bad.steps), "good"),)),
            "a judged cut is backed by a verdict",
        ),
        (
            lambda bad, good: Cut(step=len(bad.steps), judged=FixedCritic.calls % 2 == 0),
            "judging again gives the same cut",
        ),
    ],
    ids=["prefix", "past the end", "verdict in the prefix", "no bad verdict", "moody"],
)
def test_a_critic_that_breaks_a_rule(cut: Callable[[Trajectory, Trajectory], Cut], rule: str) -> None:
    FixedCritic.calls = 0
    assert broken_rule(check_critic, lambda: FixedCritic(cut)) == rule


class CopyTrainer(Trainer[PluginConfig]):
    """Copies its start; subclasses do one thing wrong."""

    rounds = 0
>>>>>>> main

    def __init__(self) -> None:
        super().__init__(PluginConfig())

<<<<<<< HEAD
    async def judge(self, bad: Any, good: Any, context: Any) -> Cut:
        return Cut(step=len(bad.steps), judged=False)


class First(Fixed):
    """Inside the shared prefix."""

    async def judge(self, bad: Any, good: Any, context: Any) -> Cut:
        return Cut(step=1)


class Prefix(Fixed):
    """Judges shared steps too."""

    async def judge(self, bad: Any, good: Any, context: Any) -> Cut:
        verdicts = tuple(Verdict(step=step, label="bad") for step in range(1, len(bad.steps) + 1))
        return Cut(step=len(bad.steps), verdicts=verdicts)


class Groundless(Fixed):
    """Says it judged, and no verdict says bad."""

    async def judge(self, bad: Any, good: Any, context: Any) -> Cut:
        return Cut(step=len(bad.steps), judged=True, verdicts=(Verdict(step=len(bad.steps), label="good"),))


class Whimsical(Fixed):
    calls = 0

    async def judge(self, bad: Any, good: Any, context: Any) -> Cut:
        Whimsical.calls += 1
        return Cut(step=len(bad.steps), judged=bool(Whimsical.calls % 2))


class Divider(Fixed):
    """Needs a difference."""

    async def judge(self, bad: Any, good: Any, context: Any) -> Cut:
        assert 1 / (good.reward - bad.reward)
        return await super().judge(bad, good, context)


class Amnesic(Fixed):
    async def judge(self, bad: Any, good: Any, context: Any) -> Cut:
        context.remember({bad.steps[-1].node: Verdict(step=len(bad.steps), label="good")})
        return await super().judge(bad, good, context)


class ShutOnce(Fixed):
    closed = False

    async def close(self) -> None:
        assert not self.closed, "closed already"
        self.closed = True


CRITICS = {
    First: "the cut lies after the divergence",
    Prefix: "verdicts are about steps after the divergence",
    Groundless: "a judged cut is backed by a verdict",
    Whimsical: "judging again gives the same cut",
    Divider: "a tree whose rewards are all the same is cut",
    Amnesic: "remembered verdicts are not given again",
    ShutOnce: "closing twice is fine",
}


@pytest.mark.parametrize(("critic", "rule"), CRITICS.items(), ids=lambda item: getattr(item, "__name__", None))
def test_critic_rule_can_fail(critic: type[Fixed], rule: str) -> None:
    assert rule in broken(CriticContract(critic))


def test_every_critic_rule_has_a_plugin_that_breaks_it() -> None:
    rules = {check.rule.partition(": ")[2] for check in CriticContract(Fixed).checks()}
    assert rules == set(CRITICS.values())
    assert broken(CriticContract(Fixed)) == {}


# ------------------------------------------------------------------------------------------------------- trainers


class Counting(Trainer[PluginConfig]):
    """Learns how many letters the trained turns have, in a file; keeps the contract, and has knobs to break it."""

    def __init__(self, **broken: Any) -> None:
        super().__init__(PluginConfig())
        self.broken = broken

    def train(
        self, dataset: TrainingSet, start: Checkpoint, out: Path, *, resume: bool, seed: int = 0, report: Any = None
    ) -> Checkpoint:
        if not Path(start.model).exists() and not self.broken.get("any_start"):
            raise UsageError(f"'{start.model}' is no model")
        if not dataset.examples and not self.broken.get("empty"):
            raise NothingToDo("the dataset is empty")
        model = out / "model"
        if not (resume and model.exists() and not self.broken.get("again")):
            self._steps(dataset, model, resume, report)
        place = Path(start.model) if self.broken.get("elsewhere") else model
        metrics = {"seed": float(self.broken["draw"]()) if "draw" in self.broken else float(seed)}
        return Checkpoint(model=str(place), base_model=start.base_model, step=6, metrics=metrics)

    def _steps(self, dataset: TrainingSet, model: Path, resume: bool, report: Any) -> None:
        every = self.broken.get("unmasked", False)
        turns = [turn for example in dataset.examples for turn in example.messages if turn.train or every]
        loss = float(sum(map(ord, "".join(turn.content for turn in turns))))
        kept = model.with_name("step")
        first = int(kept.read_text()) + 1 if resume and kept.exists() and not self.broken.get("restarts") else 1
        extra = 1.0 if resume and self.broken.get("restarts") else 0.0
        for step in range(first, 7):
            falls = loss if self.broken.get("flat") else loss / step
            try:
                report and report(step, {"loss": falls + extra})
            except Exception:
                if not self.broken.get("deaf"):
                    raise
            model.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(str(step))
        model.mkdir(exist_ok=True)
        (model / "weights").write_text(f"{loss} {resume}")


def draws() -> Callable[[], int]:
    numbers: Iterator[int] = iter(range(1_000))
    return lambda: next(numbers)


TRAINERS: Mapping[str, dict[str, Any]] = {
    "training leaves a complete checkpoint": {"elsewhere": True},
    "the loss falls": {"flat": True},
    "turns that are not trained have no effect": {"unmasked": True},
    "the same seed gives the same metrics": {"draw": draws()},
    "a finished training that is resumed is not done again": {"again": True},
    "an interrupted training that is resumed ends like a whole one": {"restarts": True},
    "an empty dataset is nothing to do": {"empty": True},
    "a start that is no model is a usage error": {"any_start": True},
}


@pytest.mark.parametrize("rule", TRAINERS)
def test_trainer_rule_can_fail(rule: str, tmp_path: Path) -> None:
    start = Checkpoint(model=str(tmp_path), base_model="base")
    assert rule in broken(TrainerContract(lambda: Counting(**TRAINERS[rule]), start))


def test_a_trainer_that_does_not_stop_is_found(tmp_path: Path) -> None:
    start = Checkpoint(model=str(tmp_path), base_model="base")
    found = broken(TrainerContract(lambda: Counting(deaf=True), start))
    assert list(found) == ["an interrupted training that is resumed ends like a whole one"]


def test_every_trainer_rule_has_a_plugin_that_breaks_it(tmp_path: Path) -> None:
    contract = TrainerContract(Counting, Checkpoint(model=str(tmp_path), base_model="base"))
    assert {check.rule.partition(": ")[2] for check in contract.checks()} == set(TRAINERS)
    assert broken(contract) == {}


# -------------------------------------------------------------------------------------------------------- modules


def test_a_heavy_module_is_named_with_what_it_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_plugin.py").write_text("import agentr_core\nimport pydantic\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ContractError, match=r"nothing heavy: expected none .*got .*pydantic"):
        check_plugin_module("heavy_plugin")
    assert "heavy_plugin" not in sys.modules


def test_a_module_that_cannot_be_imported_is_found() -> None:
    with pytest.raises(ContractError, match="a fresh interpreter cannot import no_such_plugin_at_all"):
        check_plugin_module("no_such_plugin_at_all")
=======
    def train(
        self,
        dataset: TrainingSet,
        start: Checkpoint,
        out: Path,
        *,
        resume: bool,
        seed: int = 0,
        report: Report | None = None,
    ) -> Checkpoint:
        if not start.path.is_file():
            raise UsageError("no such model")
        place = self.place(out)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(start.path.read_text())
        for step in self.steps(resume):
            if report is not None:
                report(step, {"loss": 1.0 / step})
        return start.model_copy(
            update={"model": str(place), "step": max(self.steps(resume)), "metrics": self.metrics()}
        )

    def place(self, out: Path) -> Path:
        return out / "model.txt"

    def steps(self, resume: bool) -> list[int]:
        return [1, 2, 3]

    def metrics(self) -> dict[str, float]:
        return {"loss": 0.5}


class Elsewhere(CopyTrainer):
    def place(self, out: Path) -> Path:
        return out.parent / "beside" / "model.txt"


class Backwards(CopyTrainer):
    def steps(self, resume: bool) -> list[int]:
        return [3, 2, 1]


class MoodyTrainer(CopyTrainer):
    def metrics(self) -> dict[str, float]:
        type(self).rounds += 1
        return {"loss": float(self.rounds)}


class Again(CopyTrainer):
    def steps(self, resume: bool) -> list[int]:
        return [1, 2, 3, 4] if resume else [1, 2, 3]


class Trusting(CopyTrainer):
    def train(self, dataset: TrainingSet, start: Checkpoint, out: Path, **options: Any) -> Checkpoint:
        start.path.touch()
        return super().train(dataset, start, out, **options)


@pytest.mark.parametrize(
    ("trainer", "rule"),
    [
        (Elsewhere, "training leaves a complete checkpoint"),
        (Backwards, "training leaves a complete checkpoint"),
        (MoodyTrainer, "the same seed gives the same metrics"),
        (Again, "a finished training that is resumed is not done again"),
        (Trusting, "a start that is no model is a usage error"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_trainer_that_breaks_a_rule(trainer: type[CopyTrainer], rule: str, tmp_path: Path) -> None:
    start = tmp_path / "start.txt"
    start.write_text("weights")
    checkpoint = Checkpoint(model=str(start), base_model="base")
    check_trainer(CopyTrainer, checkpoint)
    assert broken_rule(check_trainer, trainer, checkpoint) == rule


def test_a_plugin_module_that_imports_something_heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_plugin_module.py").write_text("import numpy")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ContractError, match=r"imports nothing heavy: expected none.*, got numpy$"):
        check_plugin_module("heavy_plugin_module")
>>>>>>> main
