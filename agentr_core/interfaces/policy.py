"""The policy interface: the model that acts (the paper's actor), and answers a critic's questions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.plugin_config import PluginConfig
from agentr_core.records import Completion, EngineLoad, SampleRequest, Task
from agentr_core.turns import Message

ConfigT = TypeVar("ConfigT", bound=PluginConfig)


class MakeEnvironment(Protocol):
    """Makes one more environment: that of ``task``; without one, the only environment of a run."""

    def __call__(self, task: Task | None = None, /) -> AnyEnvironment:
        """Raises :class:`~agentr_core.errors.UsageError` where a run has several environments and no task is given."""


@dataclass(frozen=True, slots=True)
class PolicyPreview:
    """What is known of a policy before it is made; the names are those of :class:`Policy`.

    ``is_here``: the model's files have been looked at; where not, only its name is known.
    """

    model: str
    weights: str | None
    template_options: dict[str, Any] | None
    context_length: int | None
    count_tokens: Callable[[Sequence[Message]], int]
    is_here: bool = True
    runs_on: str | None = None

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """A model that is loaded here has no price."""
        return None


class Policy(ABC, Generic[ConfigT]):
    """Something that continues conversations.

    Used from one event loop. Calls made at the same moment may be served as one batch; the answer to a call depends
    on its request alone, so that a run does not depend on what else was in flight (up to the rounding of batched
    arithmetic).
    """

    config_class: ClassVar[type[PluginConfig]] = PluginConfig

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @classmethod
    def preview(cls, config: Any) -> PolicyPreview | None:
        """What the policy of ``config`` will be, without loading its model; None (the default): make it to find out.

        Raises what making it would raise, as far as it is known before the model is loaded.
        """
        return None

    @property
    def model(self) -> str:
        """Names what answers: a path, a hub id, or the policy's own name. Stored with every tree and verdict."""
        return type(self).__name__

    @property
    def weights(self) -> str | None:
        """Where the model's weights can be loaded from (a folder or hub id); None where there is nothing to train."""
        return None

    @property
    def template_options(self) -> dict[str, Any] | None:
        """What prompts are rendered with (values for the chat template), handed on to the trainer; None: not known."""
        return None

    async def ready(self) -> None:
        """Called once before a stage uses the policy; by default there is nothing to do.

        For a policy whose model lives elsewhere: see to it that :attr:`model` is what answers. Raises
        :class:`~agentr_core.errors.UsageError` with what to do where another model would answer, and
        :class:`~agentr_core.errors.PolicyFailure` where nothing can be asked. May be cancelled.
        """

    @abstractmethod
    async def sample(self, request: SampleRequest) -> list[Completion]:
        """``request.n`` completions of ``request.messages``.

        Raises :class:`~agentr_core.errors.PolicyFailure` where no answer can be had, and
        :class:`~agentr_core.errors.UsageError` for what only the user can mend (a wrong name, no credit left): that is
        no task that failed, it stops the run.
        """

    async def score(self, messages: Sequence[Message], completion: str) -> list[float]:
        """The log-probability (natural log) of each token of ``completion`` after ``messages``."""
        raise NotImplementedError(f"{type(self).__name__} cannot score text")

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """The length of the rendered prompt in tokens; by default a guess of four characters a token."""
        return sum(len(message.content) // 4 + 4 for message in messages)

    @property
    def context_length(self) -> int | None:
        """How many tokens prompt and completion may have together; None where there is no limit."""
        return None

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Dollars for so many tokens; None where nothing is known of prices."""
        return None

    @property
    def runs_on(self) -> str | None:
        """What the model runs on, for the plan of a run (``2 engines, on the GPUs 0 and 1``); None: nothing to say."""
        return None

    @property
    def busy_seconds(self) -> float | None:
        """How long the model has been at work so far; None for a policy that does not count it."""
        return None

    def engine_load(self) -> EngineLoad | None:
        """How full the engine is, as far as is known now; None where nothing is. Cheap: called often, never waits."""
        return None

    def bind(self, make_environment: MakeEnvironment) -> None:
        """Offered once before use: a way to make an environment of one's own (scripted experts need one)."""

    async def close(self) -> None:
        """Release the model. May be called twice."""


#: A policy with whatever configuration.
AnyPolicy = Policy[Any]
