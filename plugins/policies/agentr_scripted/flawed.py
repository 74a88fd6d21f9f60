"""The flawed expert: errs at a given rate, then goes on as the expert would. Tests all without a model."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from agentr_core import Label, derive_rng
from agentr_scripted.base import Question, turn
from agentr_scripted.config import FlawedConfig
from agentr_scripted.expert import Demonstrated
from agentr_scripted.judge import judged_actions, verdict

#: An error: from the right action, what was done before, the demonstration, and a generator.
Error = Callable[[str, Sequence[str], Sequence[str], random.Random], str]

_NUMBER = re.compile(r"\d+")


def wrong_count(right: str, executed: Sequence[str], known: Sequence[str], rng: random.Random) -> str:
    """The right action with its first number off by one or two."""
    found = _NUMBER.search(right)
    if found is None:
        return pointless(right, executed, known, rng)
    count = int(found.group())
    wrong = rng.choice([number for number in range(max(1, count - 2), count + 3) if number != count])
    return f"{right[: found.start()]}{wrong}{right[found.end() :]}"


def wrong_item(right: str, executed: Sequence[str], known: Sequence[str], rng: random.Random) -> str:
    """The right action with its last word taken from another one."""
    words = sorted({action.split()[-1] for action in known} - {right.split()[-1]})
    return " ".join([*right.split()[:-1], rng.choice(words) if words else "nothing"])


def invalid(right: str, executed: Sequence[str], known: Sequence[str], rng: random.Random) -> str:
    """Something that no environment understands."""
    return f"please {rng.choice(['do', 'make', 'try', 'finish'])} it somehow"


def repeated(right: str, executed: Sequence[str], known: Sequence[str], rng: random.Random) -> str:
    """What was done last, once more."""
    return executed[-1] if executed and executed[-1] != right else invalid(right, executed, known, rng)


def pointless(right: str, executed: Sequence[str], known: Sequence[str], rng: random.Random) -> str:
    """Another action of the demonstration, at the wrong time."""
    others = [action for action in dict.fromkeys(known) if action != right]
    return rng.choice(others) if others else invalid(right, executed, known, rng)


ERRORS: tuple[Error, ...] = (wrong_count, wrong_item, invalid, repeated, pointless)
_WRONG: dict[Label, Label] = {"good": "bad", "bad": "good", "uncertain": "bad"}


class FlawedPolicy(Demonstrated[FlawedConfig]):
    """What it answers is a function of the conversation, the seed and the sample's number."""

    config_class = FlawedConfig

    @property
    def model(self) -> str:
        """The policy's name and rates: other rates, other answers."""
        return f"flawed-{self.config.rate:g}-{self.config.judge_accuracy:g}"

    def act(self, question: Question) -> str:
        """The next action of the demonstration, or an error in its place."""
        executed = self.executed(question.messages)
        demonstration = self.demonstration(question.task)
        done = self.done(question.task, executed) % len(demonstration)
        right = demonstration[done]
        rng = self._rng(question)
        action = right
        if rng.random() < self.config.rate:
            action = rng.choice(ERRORS)(right, executed, demonstration, rng)
        return turn(f"Step {done + 1} of {len(demonstration)}, I think.", action)

    def judge(self, question: Question) -> str:
        """The right verdict, or another one in its place."""
        label = self.right.label(question.task, judged_actions(question.messages))
        if self._rng(question).random() >= self.config.judge_accuracy:
            label = _WRONG[label]
        return verdict(label, f"I find this action {label}.")

    def _rng(self, question: Question) -> random.Random:
        return derive_rng(
            question.seed, "flawed", question.sample, len(question.messages), question.messages[-1].content
        )
