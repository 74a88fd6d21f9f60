"""Small, real parts to test against: a world that counts, and policies that answer without a model."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import ClassVar

from pydantic import Field

from agentr_core.errors import UsageError
from agentr_core.interfaces.environment import Environment, EnvironmentConfig
from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.policy import Policy
from agentr_core.records import Completion, Observation, SampleRequest, Snapshot, StepResult, Task
from agentr_core.seeds import derive_rng
from agentr_core.turns import Message


class CounterConfig(EnvironmentConfig):
    """``max_steps``: steps of an episode at the most (0: no limit). ``tasks``: how many there are in each split."""

    max_steps: int = Field(default=0, ge=0, description="steps of an episode at the most; 0 is no limit")
    tasks: int = Field(default=20, ge=1, description="tasks in each split")


_ACTIONS = ("add 1", "add 2", "double", "stop")


class CounterEnvironment(Environment[CounterConfig]):
    """Reach a number from 1 by adding 1, adding 2 or doubling, then ``stop``.

    Stopping on the number is success (reward 1); stopping beside it, or going past it, ends the episode with the
    share of the way that was gone, below 1. Anything else is refused and changes nothing.
    """

    config_class = CounterConfig
    supports_snapshot: ClassVar[bool] = True
    domain: ClassVar[str] = "a counting game"

    def __init__(self, config: CounterConfig | None = None) -> None:
        super().__init__(config or CounterConfig())
        self._target = self._count = self._steps = 0
        self._running = False

    def instructions(self, task: Task) -> str:
        """Rules and answer format."""
        return (
            "You count. Actions: 'add 1', 'add 2', 'double', 'stop'. Reach the number exactly, then stop.\n"
            "Answer with 'Thought: ...' and then 'Action: ...'."
        )

    def splits(self) -> Sequence[str]:
        """``train`` and ``test``."""
        return ("train", "test")

    def tasks(self, split: str) -> Sequence[Task]:
        """Odd targets to train on, even ones to test on."""
        if split not in self.splits():
            raise UsageError(f"no split is called '{split}'; there are: {', '.join(self.splits())}")
        first = 5 if split == "train" else 6
        targets = range(first, first + 2 * self.config.tasks, 2)
        return [
            Task(key=f"count_{n}", split=split, instruction=f"Count to {n}.", metadata={"target": n}) for n in targets
        ]

    def reset(self, task: Task) -> Observation:
        """Start at 1."""
        self._target, self._count, self._steps, self._running = int(task.metadata["target"]), 1, 0, True
        return f"{task.instruction} You are at 1."

    def step(self, action: str) -> StepResult:
        """Do one action."""
        if not self._running:
            raise RuntimeError("reset() comes first: there is no running episode")
        self._steps += 1
        if action not in _ACTIONS:
            return self._result(f"'{action[:40]}' is not an action.", invalid=True)
        if action == "stop":
            return self._end("right" if self._count == self._target else "wrong")
        self._count = _after(self._count, action)
        if self._count > self._target:
            return self._end("too far")
        return self._result(f"You are at {self._count}.")

    def snapshot(self) -> Snapshot:
        """Target, count, steps and whether the episode runs."""
        return self._target, self._count, self._steps, self._running

    def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot."""
        self._target, self._count, self._steps, self._running = snapshot

    def state_key(self) -> str:
        """Target and count; the steps as well where they are limited."""
        steps = f":{self._steps}" if self.config.max_steps else ""
        return f"{self._target}:{self._count}:{int(self._running)}{steps}"

    def legal_actions(self) -> Sequence[str]:
        """The four actions; none after the end."""
        return _ACTIONS if self._running else ()

    def demonstrate(self, task: Task) -> Sequence[str]:
        """A shortest way."""
        return (*_shortest(1, int(task.metadata["target"])), "stop")

    def distance(self) -> float | None:
        """Steps to success, ``stop`` included; 0 after success, infinite after a failure."""
        if not self._running:
            return 0.0 if self._count == self._target else math.inf
        return len(_shortest(self._count, self._target)) + 1.0

    def _end(self, how: str) -> StepResult:
        self._running = False
        share = 1.0 if how == "right" else min(self._count, self._target) / (2 * self._target)
        return self._result(f"You stopped at {self._count}: {how}.", reward=share, terminated=True)

    def _result(self, text: str, *, reward: float = 0.0, terminated: bool = False, invalid: bool = False) -> StepResult:
        truncated = not terminated and 0 < self.config.max_steps <= self._steps
        self._running = self._running and not truncated
        info = {"invalid": True} if invalid else {}
        return StepResult(
            observation=text, reward=reward, score=100 * reward, terminated=terminated, truncated=truncated, info=info
        )


class ReplayCounterEnvironment(CounterEnvironment):
    """The same world without snapshots."""

    supports_snapshot: ClassVar[bool] = False

    def snapshot(self) -> Snapshot:
        """Refused."""
        raise NotImplementedError("this environment has no snapshots")

    def restore(self, snapshot: Snapshot) -> None:
        """Refused."""
        raise NotImplementedError("this environment has no snapshots")


class BlockingCounterEnvironment(ReplayCounterEnvironment):
    """The same world without snapshots, used in threads."""

    blocking: ClassVar[bool] = True


def _after(count: int, action: str) -> int:
    return {"add 1": count + 1, "add 2": count + 2, "double": 2 * count}[action]


@cache
def _shortest(start: int, target: int) -> tuple[str, ...]:
    """The shortest actions from ``start`` to ``target`` >= ``start``, by breadth-first search."""
    ways: dict[int, tuple[str, ...]] = {start: ()}
    for count in (queue := [start]):
        if count == target:
            return ways[count]
        for action in _ACTIONS[:3]:
            if (after := _after(count, action)) <= target and after not in ways:
                ways[after] = (*ways[count], action)
                queue.append(after)
    raise ValueError(f"{target} cannot be reached from {start}")


#: From a conversation and a generator of one's own to one answer.
Answer = Callable[[Sequence[Message], random.Random], str]


_MOVES = ("add 1", "add 2", "double", "stop", "jump", "revise")
_THOUGHTS = ("Let me see.", "This should help.", "On we go.")


def count_somehow(messages: Sequence[Message], rng: random.Random) -> str:
    """A player of :class:`CounterEnvironment` at random: mostly adds, sometimes does what no rule knows, or nothing."""
    thought = f"Thought: {rng.choice(_THOUGHTS)} ({len(messages)} turns)"
    action = rng.choices([*_MOVES, None], weights=(8, 6, 4, 2, 1, 1, 1))[0]
    return f"{thought}\nAction: {action}" if action else f"{thought}\nI do not know."


class ScriptedPolicy(Policy[PluginConfig]):
    """Answers with ``answer(messages, rng)``: a pure function of the conversation, the seed and the sample's number.

    ``jitter`` yields to the event loop a few times, different for each request, before it answers: what is in flight
    then overtakes each other, as with a real engine, but without a clock.
    """

    def __init__(self, answer: Answer = count_somehow, *, jitter: int = 0, context_length: int | None = None) -> None:
        super().__init__(PluginConfig())
        self._answer, self._jitter, self._context_length = answer, jitter, context_length
        self.requests = 0

    @property
    def model(self) -> str:
        """Its name."""
        return "scripted-fake"

    @property
    def context_length(self) -> int | None:
        """As given."""
        return self._context_length

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """``request.n`` answers."""
        self.requests += 1
        if self._jitter:
            for _ in range(derive_rng(request.seed, "jitter").randrange(self._jitter)):
                await asyncio.sleep(0)
        rngs = [derive_rng(request.seed, number) for number in range(request.n)]
        return [Completion(text=self._answer(request.messages, rng)) for rng in rngs]


class InstantPolicy(Policy[PluginConfig]):
    """Answers at once, each time with another thought: what is left of a search's time is the framework's own.

    The answers of one request take their actions from ``actions`` in turn, from a place that the seed decides. Each
    claims to be ``tokens`` tokens long, with ids and logprobs, as a model's answers are.
    """

    def __init__(self, actions: Sequence[str] = _ACTIONS[:3], *, tokens: int = 0) -> None:
        super().__init__(PluginConfig())
        self._actions = tuple(actions)
        self._ids, self._logprobs = tuple(range(1_000, 1_000 + tokens)), (-0.5,) * tokens

    @property
    def model(self) -> str:
        """Its name."""
        return "instant-fake"

    async def sample(self, request: SampleRequest) -> list[Completion]:
        """``request.n`` answers, no two alike."""
        actions, seed, turn = self._actions, request.seed, len(request.messages)
        thought = f"Thought: Sample {seed:x} of turn {turn}: I shall do what I have not tried yet, number"
        return [
            Completion(
                text=f"{thought} {number}.\nAction: {actions[(seed + number) % len(actions)]}",
                token_ids=self._ids,
                logprobs=self._logprobs,
            )
            for number in range(request.n)
        ]
