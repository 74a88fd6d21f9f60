"""The Java process that runs the simulator, and how it is started. Nothing here knows of tasks."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agentr_core import JavaLost, JavaProcess, JavaProgram, JavaRaised, PluginError, package_folder

T = TypeVar("T")

#: Sets iterate in the order of insertion where every object has the same hash: only then is replay exact.
EXACT_OPTIONS = ("-XX:+IgnoreUnrecognizedVMOptions", "-XX:+UnlockExperimentalVMOptions", "-XX:hashCode=2")


@dataclass(frozen=True, slots=True)
class JvmSettings:
    """How a process is started; ``timeout`` (seconds) bounds the start and every answer.

    ``snapshots``: whether it is to have them (``auto``, ``on``, ``off``; see :mod:`agentr_sciworld.snapshots`).
    """

    java: str = ""
    memory_mb: int = 256
    timeout: float = 120.0
    snapshots: str = "auto"

    def program(self, extra: Path | None = None) -> JavaProgram:
        """What is run; ``extra`` is a folder of more classes."""
        jars = ("scienceworld.jar", *([str(extra)] if extra else []))
        return JavaProgram(
            "ScienceWorld", "sciworld", simulator_folder(), jars, self.java, self.memory_mb, self.timeout, EXACT_OPTIONS
        )


def simulator_folder() -> Path:
    """Where the ``scienceworld`` distribution keeps its jar."""
    return package_folder("scienceworld", "scienceworld", "sciworld")


class Jvm(JavaProcess):
    """The simulator's process, with ``extra`` classes beside it. One thread at a time asks it."""

    def __init__(self, settings: JvmSettings, extra: Path | None = None) -> None:
        self.settings = settings
        super().__init__(settings.program(extra))
        self._silence()

    def ask(self, question: Callable[[Any], T]) -> T:
        """As :meth:`JavaProcess.ask`; after an exception nobody knows the simulator's state: :class:`JavaLost` too."""
        try:
            return super().ask(question)
        except JavaRaised as raised:
            self.kill()
            raise JavaLost(f"Java raised {raised}") from None

    def _silence(self) -> None:
        """The simulator prints every step; nobody wants to read that."""
        try:
            self.ask(lambda jvm: jvm.java.lang.System.setOut(jvm.java.io.PrintStream(os.devnull)))
        except BaseException as error:
            self.kill()
            if isinstance(error, JavaLost):
                raise PluginError(f"Java started and then failed ({error}); {self.said_last()}") from None
            raise
