"""The environment interface: one episode at a time, synchronous; the core pools and branches it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, Literal, TypeVar, final

from pydantic import Field

from agentr_core.errors import UsageError
from agentr_core.interfaces.observations import LEAST_CHARS, shortened
from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.interfaces.published_turns import parse_agent_r, parse_agentgym
from agentr_core.interfaces.turn_parsing import ParsedAction, parse_response
from agentr_core.records import Observation, Snapshot, StepResult, Task

ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class EnvironmentConfig(PluginConfig):
    """Base of every environment's configuration: the settings that all environments have."""

    max_observation_chars: int | None = Field(
        default=None,
        ge=LEAST_CHARS,
        description="most characters of an observation that the agent is shown; a mark stands for the middle of a "
        "longer one (default: all of it)",
    )
    parser: Literal["lenient", "agentgym", "agent-r"] = Field(
        default="lenient",
        description="how the action is taken out of a turn. lenient: emphasis, fences, quotes, tool calls and "
        "reasoning around it do no harm; agentgym, agent-r: to the letter as AgentGym's clients or Agent-R's code do",
    )


class Environment(ABC, Generic[ConfigT]):
    """A world with tasks.

    Subclasses set :attr:`config_class` and take an instance of it. An environment answers any text with an
    observation: it raises only for wrong use (``step`` before ``reset`` or after the end: ``RuntimeError``).
    """

    config_class: ClassVar[type[PluginConfig]] = PluginConfig
    #: True where :meth:`snapshot` and :meth:`restore` work; otherwise the core replays actions.
    supports_snapshot: ClassVar[bool] = False
    #: True where a call may wait for another process (a JVM): the core then makes it in a thread.
    blocking: ClassVar[bool] = False
    #: True where instances share workers of their own and wait for them: any number may then be in use at once.
    shares_workers: ClassVar[bool] = False
    #: False where no action ends in a full stop: the lenient parser then leaves out one that an agent wrote.
    full_stops: ClassVar[bool] = True
    #: How often a replay behind :meth:`restore` has not shown what had been recorded, in the life of this instance.
    mismatches: int = 0
    #: What a critic's prompt calls this world, e.g. ``"a crafting game"``; see :meth:`domain_of`.
    domain: ClassVar[str] = "an interactive environment"

    #: What :meth:`parse` does, once it has been asked: a search parses every answer.
    _parse_rule: Callable[[str], ParsedAction] | None = None

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @property
    def version(self) -> str:
        """Names the world and its rules; two environments of one version behave alike. Stored with every run."""
        return "1"

    @abstractmethod
    def instructions(self, task: Task) -> str:
        """Rules and answer format: the head of every conversation of ``task``; the same text each time."""

    def domain_of(self, task: Task) -> str:
        """What a critic's prompt calls the world of ``task``; by default :attr:`domain`."""
        return self.domain

    @abstractmethod
    def splits(self) -> Sequence[str]:
        """The names that :meth:`tasks` takes."""

    @abstractmethod
    def tasks(self, split: str) -> Sequence[Task]:
        """The tasks of a split, always in the same order. Unknown split: :class:`~agentr_core.errors.UsageError`."""

    def task(self, key: str) -> Task:
        """The task with this key; :class:`~agentr_core.errors.UsageError` where there is none."""
        for split in self.splits():
            for task in self.tasks(split):
                if task.key == key:
                    return task
        raise UsageError(f"no task has the key '{key}'; list them with: agentr tasks list")

    @abstractmethod
    def reset(self, task: Task) -> Observation:
        """Start an episode of ``task`` and return the first observation."""

    @abstractmethod
    def step(self, action: str) -> StepResult:
        """Do one action. ``RuntimeError`` before :meth:`reset` or after the end."""

    @final
    def begin(self, task: Task) -> StepResult:
        """:meth:`reset` as agents are shown it: search, episodes and replays all begin here."""
        return _shown(StepResult(observation=self.reset(task)), self.config)

    @final
    def act(self, action: str) -> StepResult:
        """:meth:`step` as agents are shown it: search, episodes and replays all go on here.

        An observation above ``max_observation_chars`` is shortened; ``info["left_out"]`` then counts the characters
        that are not shown.
        """
        return _shown(self.step(action), self.config)

    def snapshot(self) -> Snapshot:
        """The present state, to be given back to :meth:`restore` of any instance with the same configuration."""
        raise NotImplementedError(f"{type(self).__name__} has no snapshots")

    def restore(self, snapshot: Snapshot) -> None:
        """Put the episode back to where ``snapshot`` was taken, its task included."""
        raise NotImplementedError(f"{type(self).__name__} has no snapshots")

    @abstractmethod
    def state_key(self) -> str:
        """Equal keys mean equal futures: used for loop counts and replay checks."""

    def legal_actions(self) -> Sequence[str] | None:
        """Actions that make sense now, or None where the environment cannot list them."""
        return None

    def demonstrate(self, task: Task) -> Sequence[str] | None:
        """An expert's actions from the start of ``task`` to success, or None where no expert is known."""
        return None

    def distance(self) -> float | None:
        """How many steps the present state is from success: 0 at the goal, infinite where it is out of reach.

        None where that is not known.
        """
        return None

    def parse(self, response: str) -> ParsedAction:
        """Take the action out of an agent's turn, by the rule that the setting ``parser`` names.

        An environment with an answer format of its own overrides it.
        """
        if self._parse_rule is None:
            self._parse_rule = self._chosen_parse_rule()
        return self._parse_rule(response)

    def _chosen_parse_rule(self) -> Callable[[str], ParsedAction]:
        name = getattr(self.config, "parser", "lenient")
        if name == "lenient":
            return parse_response if self.full_stops else partial(parse_response, full_stop=False)
        return parse_agent_r if name == "agent-r" else self.parse_as_agentgym

    def parse_as_agentgym(self, response: str) -> ParsedAction:
        """The rule ``agentgym``; overridden where AgentGym's client of this world has a rule of its own."""
        return parse_agentgym(response)

    def close(self) -> None:
        """Release what the environment holds. May be called twice."""


def _shown(result: StepResult, config: Any) -> StepResult:
    """A function, since authors of environments may call a method of theirs so."""
    limit: int | None = getattr(config, "max_observation_chars", None)
    if limit is None or len(result.observation) <= limit:
        return result
    text, count = shortened(result.observation, limit)
    return result.model_copy(update={"observation": text, "info": {**result.info, "left_out": count}})


#: An environment with whatever configuration.
AnyEnvironment = Environment[Any]
