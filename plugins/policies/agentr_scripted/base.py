"""What the scripted policies share: an environment of their own, and reading a conversation back into actions."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from agentr_core import (
    AnyEnvironment,
    Completion,
    MakeEnvironment,
    Message,
    PluginConfig,
    Policy,
    PolicyFailure,
    SampleRequest,
    Task,
    is_revision,
)

ConfigT = TypeVar("ConfigT", bound=PluginConfig)


@dataclass(frozen=True, slots=True)
class Question:
    """One completion to give: number ``sample`` of a request. At temperature 0 every sample is number 0 of seed 0."""

    messages: Sequence[Message]
    task: Task
    seed: int
    sample: int


class ScriptedPolicy(Policy[ConfigT]):
    """Answers at once from the conversation, the task and the seed; no model, and nothing remembered that matters."""

    def __init__(self, config: ConfigT) -> None:
        super().__init__(config)
        self._make: MakeEnvironment | None = None
        self._others: dict[str, ScriptedPolicy[ConfigT]] = {}
        self._at: Task | None = None
        self._environment: AnyEnvironment | None = None
        self._read: dict[str, str | None] = {}

    @abstractmethod
    def act(self, question: Question) -> str:
        """The agent's turn."""

    @abstractmethod
    def judge(self, question: Question) -> str:
        """The answer to a critic's question."""

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """``request.n`` answers; see :meth:`Policy.sample`. The task is needed: it is what the script is about."""
        messages, task = request.messages, request.task
        if task is None:
            raise PolicyFailure(f"the policy '{self.model}' must be told the task: ask SampleRequest(..., task=...)")
        here = self._in_the_world_of(task)
        answer = here.act if request.purpose == "act" else here.judge
        if request.params.temperature == 0:
            return [Completion(text=answer(Question(messages, task, 0, 0)))] * request.n
        questions = [Question(messages, task, request.seed, sample) for sample in range(request.n)]
        return [Completion(text=answer(question)) for question in questions]

    def bind(self, make_environment: MakeEnvironment) -> None:
        """Keep the way to make an environment; it is made when it is first needed."""
        self._make = make_environment

    def _in_the_world_of(self, task: Task) -> ScriptedPolicy[ConfigT]:
        """This policy in the world it first played in, another one like it in each other: they share nothing."""
        self._at = self._at or task
        if task.env == self._at.env:
            return self
        if task.env not in self._others:
            other = self._others[task.env] = type(self)(self.config)
            other._make, other._at = self._make, task
        return self._others[task.env]

    async def close(self) -> None:
        """Close the policy's own environments."""
        for other in self._others.values():
            await other.close()
        self._others.clear()
        if self._environment is not None:
            self._environment.close()
            self._environment = None

    @property
    def environment(self) -> AnyEnvironment:
        """The policy's own environment."""
        if self._environment is None:
            if self._make is None:
                raise PolicyFailure(f"the policy '{self.model}' needs an environment: call bind(make_environment)")
            named = self._at is not None and self._at.env  # outside of a run there is but one environment
            self._environment = self._make(self._at) if named else self._make()
        return self._environment

    def executed(self, messages: Sequence[Message]) -> list[str]:
        """The actions of the conversation that reached the environment, in order."""
        actions = (self._action(message.content) for message in messages if message.role == "assistant")
        return [action for action in actions if action is not None]

    def _action(self, response: str) -> str | None:
        try:
            return self._read[response]
        except KeyError:
            action = self.environment.parse(response).action
            return self._read.setdefault(response, None if is_revision(action) else action)


def turn(thought: str, action: str) -> str:
    """An agent's turn."""
    return f"Thought: {thought}\nAction: {action}"
