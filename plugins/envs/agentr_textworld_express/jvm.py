"""The Java process that runs the games, and how it is started."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agentr_core import EnvironmentFailure, JavaProcess, JavaProgram, JavaRaised, package_folder

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JvmSettings:
    """How a process is started; ``timeout`` (seconds) bounds the start and every answer."""

    java: str = ""
    memory_mb: int = 512
    timeout: float = 120.0

    def program(self) -> JavaProgram:
        """What is run, in the folder that the games read their data from."""
        jars = ("textworld-express.jar",)
        return JavaProgram(
            "TextWorldExpress", "textworld_express", games_folder(), jars, self.java, self.memory_mb, self.timeout
        )


def games_folder() -> Path:
    """Where the ``textworld-express`` distribution keeps its jar."""
    return package_folder("textworld_express", "textworld-express", "textworld-express")


class Jvm(JavaProcess):
    """The games' process. Safe to use from many threads."""

    def __init__(self, settings: JvmSettings) -> None:
        super().__init__(settings.program())
        #: Who has begun the game of a name and seed last, where that matters.
        self.holders: dict[tuple[str, int], object] = {}

    def ask(self, question: Callable[[Any], T]) -> T:
        """As :meth:`JavaProcess.ask`; :class:`~agentr_core.EnvironmentFailure` where Java raised something."""
        try:
            return super().ask(question)
        except JavaRaised as raised:
            raise EnvironmentFailure(f"TextWorldExpress raised {raised}") from None
