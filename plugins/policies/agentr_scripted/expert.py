"""The expert: does the next action of the environment's demonstration, whatever was done in between."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from agentr_core import PolicyFailure, Task
from agentr_scripted.base import ConfigT, Question, ScriptedPolicy, turn
from agentr_scripted.config import ExpertConfig
from agentr_scripted.judge import Judge, judged_actions, verdict


class Demonstrated(ScriptedPolicy[ConfigT]):
    """A policy that knows the environment's demonstrations; each is asked for once."""

    def __init__(self, config: ConfigT) -> None:
        super().__init__(config)
        self._demonstrations: dict[str, tuple[str, ...]] = {}

    @cached_property
    def right(self) -> Judge:
        """Knows the right verdicts."""
        return Judge(self.environment)

    def demonstration(self, task: Task) -> tuple[str, ...]:
        """The expert's actions; :class:`~agentr_core.PolicyFailure` where the environment has none for ``task``."""
        if task.key not in self._demonstrations:
            actions = self.environment.demonstrate(task)
            if not actions:
                raise PolicyFailure(
                    f"the environment has no demonstration of '{task.key}', which the policy '{self.model}' needs; "
                    "use --policy random, or a model"
                )
            self._demonstrations[task.key] = tuple(actions)
        return self._demonstrations[task.key]

    def done(self, task: Task, executed: Sequence[str]) -> int:
        """How many of the demonstration's actions were done, in order, with others in between.

        Past its end it starts again: a wrong action in between may have used up what an earlier one brought.
        """
        demonstration, done = self.demonstration(task), 0
        for action in executed:
            done += action == demonstration[done % len(demonstration)]
        return done


class ExpertPolicy(Demonstrated[ExpertConfig]):
    """Solves every task that has a demonstration; all its samples are the same."""

    config_class = ExpertConfig

    @property
    def model(self) -> str:
        """The policy's name."""
        return "expert"

    def act(self, question: Question) -> str:
        """The next action of the demonstration."""
        demonstration = self.demonstration(question.task)
        done = self.done(question.task, self.executed(question.messages)) % len(demonstration)
        return turn(f"Step {done + 1} of {len(demonstration)}.", demonstration[done])

    def judge(self, question: Question) -> str:
        """The right verdict."""
        label = self.right.label(question.task, judged_actions(question.messages))
        return verdict(label, "I compare how far the goal is before and after.")
