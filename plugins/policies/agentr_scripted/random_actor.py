"""The random actor: draws among the actions that the environment offers where the conversation stands."""

from __future__ import annotations

import random
from functools import cached_property

from agentr_core import Label, PolicyFailure, derive_rng
from agentr_scripted.base import Question, ScriptedPolicy, turn
from agentr_scripted.config import RandomConfig
from agentr_scripted.judge import verdict
from agentr_scripted.walker import Walker

_LABELS: tuple[Label, ...] = ("good", "bad", "uncertain")


class RandomPolicy(ScriptedPolicy[RandomConfig]):
    """The floor of every comparison; judges at random as well."""

    config_class = RandomConfig

    @cached_property
    def _walker(self) -> Walker:
        return Walker(self.environment)

    @property
    def model(self) -> str:
        """The policy's name."""
        return "random"

    def act(self, question: Question) -> str:
        """One of the environment's legal actions; :class:`~agentr_core.PolicyFailure` where it lists none."""
        self._walker.walk(question.task, self.executed(question.messages))
        actions = self.environment.legal_actions()
        if not actions:
            raise PolicyFailure("the environment lists no actions to draw from; use --policy flawed, or a model")
        return turn("Let me try something.", self._rng(question).choice(list(actions)))

    def judge(self, question: Question) -> str:
        """A label drawn at random."""
        return verdict(self._rng(question).choice(_LABELS), "I guess.")

    def _rng(self, question: Question) -> random.Random:
        return derive_rng(question.seed, "random", question.sample, len(question.messages))
