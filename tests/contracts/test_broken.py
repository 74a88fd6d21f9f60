"""The contract checks find what they are for: each rule is broken once, and that rule alone complains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentr_core import (
    Checkpoint,
    Completion,
    ContractError,
    Critic,
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
)
from agentr_core.testing import (
    CounterConfig,
    CounterEnvironment,
    ScriptedPolicy,
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

    def instructions(self) -> str:
        return " "


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

    def step(self, action: str) -> StepResult:
        result = super().step(action)
        return result.model_copy(update={"reward": 2 * result.reward})


class Opaque(CounterEnvironment):
    """Puts an object into info."""

    def step(self, action: str) -> StepResult:
        return super().step(action).model_copy(update={"info": {"self": self.config}})


class Endless(CounterEnvironment):
    """Goes on after the end."""

    def step(self, action: str) -> StepResult:
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

    def __init__(self) -> None:
        super().__init__(PluginConfig())

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
        for node in leaf.ancestors():
            node.visits += 1
            node.value_sum += leaf.reward

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
        await context.commit()
        return context.tree


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

    def __init__(self) -> None:
        super().__init__(PluginConfig())

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
