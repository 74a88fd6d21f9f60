"""A contract is worth what it refuses: for each rule, a plugin that breaks it and nothing it must not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agentr_core import (
    BatchedPolicy,
    Checkpoint,
    Completion,
    ContractError,
    Critic,
    Cut,
    EngineLoad,
    NothingToDo,
    ParsedAction,
    PluginConfig,
    SampleRequest,
    SamplingParams,
    Searcher,
    StepResult,
    Trainer,
    TrainingSet,
    UsageError,
    Verdict,
    derive_rng,
)
from agentr_core.interfaces.signatures import outdated
from agentr_core.testing import (
    CounterConfig,
    CounterEnvironment,
    ScriptedPolicy,
    check_environment,
    check_plugin_module,
    check_policy,
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


class Former(CounterEnvironment):
    """Tells the same of every task, as environments once did."""

    def instructions(self) -> str:  # type: ignore[override]
        return "Count."


class Nostalgic(CounterEnvironment):
    """Tells of the task that was begun last."""

    def instructions(self, task: Any) -> str:
        return f"Count to {self._target}."


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
    def instructions(self, task: Any) -> str:
        return " "


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


class Choosy(CounterEnvironment):
    """Reads no answer without a label."""

    def parse(self, response: str) -> ParsedAction:
        return ParsedAction(response.partition("Action: ")[2] or None)


class Blinkered(CounterEnvironment):
    """Knows fewer actions where it may show less."""

    def step(self, action: str) -> StepResult:
        return super().step("sleep" if self.config.max_observation_chars else action)


class Generous(CounterEnvironment):
    def step(self, action: str) -> StepResult:
        result = super().step(action)
        return result.model_copy(update={"reward": 2 * result.reward})


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


class Endless(CounterEnvironment):
    """Goes on after the end."""

    def step(self, action: str) -> StepResult:
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
    Former: "it is written for this agentr",
    Nostalgic: "instructions are text",
    Forgetful: "tasks are stable",
    Twins: "tasks are stable",
    AnySplit: "unknown splits and keys are usage errors",
    Silent: "instructions are text",
    Moody: "the same actions have the same effect",
    Shared: "instances share no state",
    HalfSnapshot: "snapshots restore the state",
    Touchy: "any text is answered",
    Choosy: "any answer is read",
    Blinkered: "long observations are shortened",
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


class Acting(CounterEnvironment):
    """Has a method of the name that the core calls."""

    def act(self, action: str, loud: bool = True) -> StepResult:  # type: ignore[misc, override]
        return self.step(action)


def test_a_method_that_stands_in_the_cores_way_is_named() -> None:
    told = outdated(Acting)
    assert told is not None and told.startswith("defines act(), a name that agentr uses")
    assert "it is written for this agentr" in broken(EnvironmentContract(Acting))


def test_every_environment_rule_has_a_plugin_that_breaks_it() -> None:
    rules = {check.rule.partition(": ")[2] for check in EnvironmentContract(CounterEnvironment).checks()}
    assert rules == set(ENVIRONMENTS.values())
    assert broken(EnvironmentContract(CounterEnvironment)) == {}


class Bare(CounterEnvironment):
    """No snapshots, no expert, no distance, no list of actions."""

    supports_snapshot = False

    def demonstrate(self, task: Any) -> None:  # type: ignore[override]
        return None

    def distance(self) -> None:
        return None

    def legal_actions(self) -> None:  # type: ignore[override]
        return None


def test_an_environment_that_offers_nothing_keeps_the_contract() -> None:
    assert broken(EnvironmentContract(lambda: Bare(CounterConfig(tasks=6, max_steps=9)), tasks=3)) == {}


# ------------------------------------------------------------------------------------------------------- policies


class OneByOne(ScriptedPolicy):
    """Takes what a request holds one by one, as policies once did."""

    async def sample(  # type: ignore[override]
        self, messages: Any, *, n: int, params: Any, session: str, seed: int, task: Any = None, purpose: str = "act"
    ) -> list[Completion]:
        return [Completion(text="Action: add 1")] * n


class Nameless(ScriptedPolicy):
    model = ""  # type: ignore[assignment]


class Short(ScriptedPolicy):
    async def sample(self, request: SampleRequest) -> list[Completion]:
        return (await super().sample(request))[:1]


class Drifting(ScriptedPolicy):
    """Says which call of the process this is."""

    calls = 0

    async def sample(self, request: SampleRequest) -> list[Completion]:
        Drifting.calls += 1
        return [Completion(text=f"call {Drifting.calls}")] * request.n


class Crowded(ScriptedPolicy):
    """Says which call of this instance this is."""

    async def sample(self, request: SampleRequest) -> list[Completion]:
        self.requests += 1
        return [Completion(text=f"call {self.requests}")] * request.n


class Chatty(ScriptedPolicy):
    async def sample(self, request: SampleRequest) -> list[Completion]:
        return [Completion(text="e" * 99, token_ids=tuple(range(99)), logprobs=(0.5,))] * request.n


class Certain(ScriptedPolicy):
    async def score(self, messages: Any, completion: str) -> list[float]:
        return [0.7]


class Uncounted(ScriptedPolicy):
    def count_tokens(self, messages: Any) -> int:
        return 1


class Fragile(ScriptedPolicy):
    """Breaks on a long prompt, on control characters and on questions."""

    async def sample(self, request: SampleRequest) -> list[Completion]:
        last = request.messages[-1].content
        if len(last) > 10_000 or "\x00" in last or request.purpose == "judge":
            raise IndexError("out of range")
        return await super().sample(request)


class ClosedOnce(ScriptedPolicy):
    closed = False

    async def close(self) -> None:
        assert not self.closed, "closed already"
        self.closed = True


class Boastful(ScriptedPolicy):
    def engine_load(self) -> EngineLoad:
        return EngineLoad(kv_tokens=0, busy=1.5)


POLICIES = {
    OneByOne: {"it is written for this agentr"},
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
    Boastful: {"what it tells of its engine is possible"},
}


@pytest.mark.parametrize(("policy", "expected"), POLICIES.items(), ids=lambda item: getattr(item, "__name__", None))
def test_policy_rule_can_fail(policy: type[ScriptedPolicy], expected: set[str]) -> None:
    assert expected <= set(broken(PolicyContract(policy)))


def test_every_policy_rule_has_a_plugin_that_breaks_it() -> None:
    rules = {check.rule.partition(": ")[2] for check in PolicyContract(ScriptedPolicy).checks()}
    assert rules == set().union(*POLICIES.values())
    assert broken(PolicyContract(ScriptedPolicy)) == {}


# ----------------------------------------------------------------------------------------------------- signatures


class Relaying(ScriptedPolicy):
    """Hands on whatever it is asked, as wrappers do."""

    async def sample(self, *args: Any, **kwargs: Any) -> list[Completion]:
        return await super().sample(*args, **kwargs)


class RelayingWorld(CounterEnvironment):
    def instructions(self, *args: Any, **kwargs: Any) -> str:
        return super().instructions(*args, **kwargs)


class Halfway(ScriptedPolicy):
    """A wrapper of the policies that once were."""

    async def sample(self, messages: Any, **rest: Any) -> list[Completion]:  # type: ignore[override]
        return []


class Wider(ScriptedPolicy):
    async def sample(self, request: SampleRequest, *, patience: int = 3) -> list[Completion]:
        return await super().sample(request)


class Bound(CounterEnvironment):
    """Needs no instance."""

    @staticmethod
    def instructions(task: Any) -> str:  # type: ignore[override]
        return f"Count, for {task.key}."


class Batched(BatchedPolicy[PluginConfig]):
    """Overrides nothing but ``complete``."""

    def complete(self, requests: Sequence[SampleRequest]) -> list[Any]:
        return [[Completion(text="Action: stop")] * request.n for request in requests]


@pytest.mark.parametrize("plugin", [Relaying, Wider, Batched, RelayingWorld, Bound])
def test_what_can_be_called_with_one_argument_is_not_refused(plugin: type) -> None:
    assert outdated(plugin) is None


def test_plugins_that_take_anything_keep_the_contract() -> None:
    assert broken(PolicyContract(Relaying)) == {}
    assert broken(EnvironmentContract(lambda: RelayingWorld(CounterConfig(tasks=6)), tasks=3)) == {}


@pytest.mark.parametrize(
    ("plugin", "said"),
    [
        (
            OneByOne,
            "its sample() takes messages, n, params, session, seed, task, purpose instead of one request; write ",
        ),
        (Halfway, "its sample() takes messages, rest instead of one request; write `async def sample(self, request: "),
        (Former, "its instructions() takes nothing instead of the task; write `def instructions(self, task: Task)`"),
    ],
)
def test_a_plugin_for_an_older_agentr_is_told_what_to_write(plugin: type, said: str) -> None:
    change = outdated(plugin)
    assert change is not None and change.startswith(f"was written for an older agentr: {said}")


def test_the_first_rule_that_such_a_plugin_breaks_says_so() -> None:
    for check, plugin in ((check_policy, OneByOne), (check_environment, Former)):
        with pytest.raises(ContractError, match="expected a plugin for this agentr, got one that was written for an"):
            check(plugin)


# ------------------------------------------------------------------------------------------------------ searchers


class Walk(Searcher[PluginConfig]):
    """Three attempts, each a walk down the first child; the base that the broken ones change in one place."""

    simulations = 3  # type: ignore[assignment]
    backs_up = commits = listens = True

    def __init__(self) -> None:
        super().__init__(PluginConfig())

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
        for node in leaf.ancestors():
            node.visits += 1
            node.value_sum += leaf.reward


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
        await context.commit()
        return context.tree


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

    def __init__(self) -> None:
        super().__init__(PluginConfig())

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
