"""The executor interface: where the work of a run is done, when it is not done in the run's own process.

An executor starts workers and carries messages; what they mean is the core's business. It knows nothing of trees.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, TypeVar

from agentr_core.interfaces.plugin_config import PluginConfig

ConfigT = TypeVar("ConfigT", bound=PluginConfig)

#: The executor that is none: all work is done in the process of the run.
LOCAL = "local"


class WorkerLink(ABC):
    """The run's end of the line to one worker. Messages arrive whole and in the order in which they were sent."""

    @abstractmethod
    async def send(self, message: bytes) -> None:
        """Send the worker a message. Raises :class:`~agentr_core.errors.WorkerLost` where it is gone."""

    @abstractmethod
    async def receive(self) -> bytes:
        """The worker's next message.

        While nobody asks, a worker that has sent a few must be made to wait: what it sends may not pile up anywhere.
        Raises :class:`~agentr_core.errors.WorkerLost`, which says why, once it is gone and all it sent was received.
        """

    @abstractmethod
    async def close(self) -> None:
        """End the worker at once. May be called twice, and for one that is gone."""


class Executor(ABC, Generic[ConfigT]):
    """Starts workers, on this machine or on others.

    A worker awaits :func:`agentr_core.serve_worker` with the ``setting`` that it was started with; it ends by itself
    when the run is gone, however that ended.
    """

    config_class: ClassVar[type[PluginConfig]] = PluginConfig

    def __init__(self, config: ConfigT) -> None:
        self.config = config

    @property
    @abstractmethod
    def workers(self) -> int:
        """How many workers a run asks for; it begins with the first that is there."""

    @abstractmethod
    async def start(self, number: int, setting: bytes) -> WorkerLink:
        """Start one more worker, the ``number``-th of this run.

        May take as long as it takes to find a place for it. Raises :class:`~agentr_core.errors.AgentrError` where it
        cannot be started.
        """

    async def close(self) -> None:
        """Let go of what all workers share. May be called twice."""


#: An executor with whatever configuration.
AnyExecutor = Executor[Any]
