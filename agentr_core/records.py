"""The data that passes between the core and its plugins.

Records are immutable pydantic models, checked where they are made. What is made by the thousand inside the search (a
:class:`Trajectory`; a :class:`~agentr_core.turns.Message`, which has a module without pydantic) is a slotted dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agentr_core.turns import Message

Label = Literal["good", "bad", "uncertain"]
Purpose = Literal["act", "judge"]
FinishReason = Literal["stop", "length", "error"]

#: What the environment tells the agent: text, as the model sees it.
Observation = str
#: An environment's own picture of its state; opaque to the core.
Snapshot = Any


class Record(BaseModel):
    """Base of the immutable records."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(Record):
    """One problem of an environment.

    ``key`` is stable and unique within the environment and its version; ``instruction`` is what the agent is asked to
    do, in words; ``metadata`` is JSON (TextCraft: ``goal``, ``depth``; WebShop: ``goal_index``, ``max_reward``;
    ScienceWorld: ``task``, ``variation``). ``env`` is what a run calls the environment that the task is of; an
    environment leaves it empty.
    """

    key: str
    split: str
    instruction: str
    metadata: dict[str, Any] = Field(default_factory=dict)
    env: str = ""


class StepResult(Record):
    """What one action brought.

    ``reward`` lies in [0, 1] and 1 is success; ``score`` is the same on the environment's native scale.
    ``terminated``: the task has ended by itself; ``truncated``: a cap of steps ended it. ``info`` is JSON; the key
    ``invalid`` is true where the environment refused the action.
    """

    observation: Observation
    reward: float = Field(default=0.0, ge=0.0, le=1.0)
    score: float = 0.0
    terminated: bool = False
    truncated: bool = False
    info: dict[str, Any] = Field(default_factory=dict)


class SamplingParams(Record):
    """How a policy draws a completion. ``temperature`` 0 is greedy; ``max_tokens`` bounds the completion."""

    temperature: float = Field(default=1.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=500, ge=1)
    stop: tuple[str, ...] = ()


_DEFAULT_PARAMS = SamplingParams()


@dataclass(frozen=True, slots=True)
class SampleRequest:
    """What a policy is asked: ``n`` completions of one conversation whose last turn is not the assistant's.

    ``session`` is the tree's id: an engine may keep a tree's prefixes together. ``seed`` fixes the draw. ``task`` and
    ``purpose`` say what the conversation is about; only scripted policies look at them.
    """

    messages: tuple[Message, ...]
    params: SamplingParams = _DEFAULT_PARAMS
    n: int = 1
    seed: int = 0
    session: str = ""
    task: Task | None = None
    purpose: Purpose = "act"


class Completion(Record):
    """One answer of a policy.

    ``text`` has the stop string removed. ``token_ids`` and ``logprobs`` (natural log, one for each token, under the
    sampling temperature 1) are empty where the policy knows none. ``prompt_tokens`` counts the whole prompt,
    ``cached_tokens`` the part of it that was not computed again.
    """

    text: str
    token_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    finish_reason: FinishReason = "stop"
    prompt_tokens: int = 0
    cached_tokens: int = 0


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """What an engine says of itself at this moment; None for what it does not tell.

    ``kv_tokens``: tokens whose keys and values it holds at once; ``kv_used``: the share of them in use, in [0, 1];
    ``busy``: the share of its rows (or sequences) that are computed now, in [0, 1]; ``cached``: the share of all prompt
    tokens so far that its prefix cache held, in [0, 1].
    """

    kv_tokens: int | None = None
    kv_used: float | None = None
    busy: float | None = None
    cached: float | None = None


class Verdict(Record):
    """A critic's label for step ``step`` (1-based) of a trajectory, with its reasons where it gave any.

    ``readable`` is false where the judge's answer held no label, or it could not be asked: ``uncertain`` by default.
    ``value``: what the state after the step is worth to the critic (the reward that it expects), where it says so.
    """

    step: int = Field(ge=1)
    label: Label
    rationale: str = ""
    readable: bool = True
    value: float | None = None


class Cut(Record):
    """Where a critic leaves a bad trajectory: after step ``step`` (t' of Agent-R section 3.1; 1-based).

    ``judged`` is false where no verdict said ``bad`` and the whole trajectory is kept (Direct-Revision).
    ``verdicts`` are those given on the way, in step order.
    """

    step: int = Field(ge=1)
    judged: bool = True
    verdicts: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trajectory.

    ``response`` is the agent's whole turn; ``action`` what was taken from it (None where nothing could be), and
    ``node`` the index of the tree node that the step leads to (None outside a tree). ``cut_off``: the turn ended
    because it had become too long, not because the model had said all; it is never trained.
    """

    response: str
    action: str | None
    observation: Observation
    reward: float = 0.0
    score: float = 0.0
    terminated: bool = False
    truncated: bool = False
    invalid: bool = False
    node: int | None = None
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A path from the start of a task to an end of it.

    ``head`` are the turns before the first action (instructions and first observation).
    """

    task: Task
    head: tuple[Message, ...]
    steps: tuple[Step, ...]

    @property
    def reward(self) -> float:
        """The reward of the last step (Agent-R section 2.1: one final reward), 0 for an empty trajectory."""
        return self.steps[-1].reward if self.steps else 0.0

    @property
    def success(self) -> bool:
        """True where the reward is 1."""
        return self.reward >= 1.0

    def messages(self) -> tuple[Message, ...]:
        """The whole conversation: the head, then response and observation of each step."""
        turns = list(self.head)
        for step in self.steps:
            turns += (Message("assistant", step.response), Message("user", step.observation))
        return tuple(turns)

    def actions(self) -> tuple[str, ...]:
        """The actions that reached the environment, in order."""
        return tuple(step.action for step in self.steps if step.action is not None)


class Checkpoint(Record):
    """A model on disk. ``model`` is a path or a hub id; ``base_model`` is what the first iteration started from.

    ``template_options`` are those that the policy renders prompts with, and training must render with; None where that
    is not known.
    """

    model: str
    base_model: str
    iteration: int = 0
    step: int = 0
    metrics: dict[str, float] = Field(default_factory=dict)
    template_options: dict[str, Any] | None = None

    @property
    def path(self) -> Path:
        """The checkpoint's folder, where ``model`` is one."""
        return Path(self.model)
