"""One simulator in one Java process: it plays an episode at a time and knows which inputs it has executed.

The state of an episode is the literal list of its inputs, ambiguity prompts and unparsable ones included: the
simulator consumes random numbers for some of them and answers a digit differently after others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from agentr_sciworld.jvm import Jvm, JvmSettings
from agentr_sciworld.luck import Dice

#: What every episode begins with, as the official ``reset`` does.
FIRST_INPUT = "look around"
#: A short script in which the order of sets and the random numbers show, and a task that is loaded in between.
_PROBE = ("use-thermometer", 0, "")
_PROBE_SCRIPT = (FIRST_INPUT, "open door to kitchen", "go to kitchen", "look around", "wait1")
_OTHER = ("find-plant", 0, "")


class Begin(NamedTuple):
    """Where an episode starts: kind, variation, simplifications (comma separated)."""

    kind: str
    variation: int
    simplifications: str = ""


class Seen(NamedTuple):
    """What an input brought. ``score``: 0 to 100, or -100 where the task has failed; ``moves``: of the simulator."""

    observation: str
    score: int
    completed: bool
    moves: int


@dataclass(slots=True)
class Stand:
    """Where a simulator stands: the episode and the inputs executed in it."""

    begin: Begin
    inputs: list[str]


class Worker:
    """A simulator. :class:`~agentr_sciworld.jvm.WorkerLost` from any method where its process is gone or stuck.

    ``stand`` is None where nobody knows what state it is in. ``loads`` counts the episodes begun. ``exact``: a short
    episode, played twice with another one in between, showed the same, and all objects have the same hash.
    """

    def __init__(self, settings: JvmSettings) -> None:
        self.jvm = Jvm(settings)
        self.stand: Stand | None = None
        self.loads = 0
        try:
            self._server: Any = self.jvm.ask(lambda jvm: jvm.scienceworld.runtime.pythonapi.PythonInterface())
            self._dice: Dice = self.jvm.ask(Dice)
            self.exact = self._probe()
        except BaseException:
            self.jvm.kill()
            raise

    def load(self, begin: Begin, *, gold: bool = False) -> str:
        """Begin an episode and return the task's description; with ``gold`` a way to solve it is planned as well."""
        self.stand = None
        self.loads += 1
        self.jvm.ask(lambda _: self._server.load(begin.kind, begin.variation, begin.simplifications, gold))
        description: str = self.jvm.ask(lambda _: self._server.getTaskDescription())
        if not gold:  # planning draws random numbers: the episode would not be the one that can be played again
            self.stand = Stand(begin, [])
        return description

    def step(self, text: str) -> Seen:
        """Execute one input, whatever it is."""
        stand, self.stand = self.stand, None
        seen = self.jvm.ask(lambda _: self._step(text))
        if stand is not None:
            stand.inputs.append(text)
        self.stand = stand
        return seen

    def _step(self, text: str) -> Seen:
        server = self._server
        observation = server.step(text)
        return Seen(observation, round(100 * server.getScore()), server.getCompleted(), server.getNumMoves())

    def failure(self) -> str | None:
        """The exception that broke the episode inside the simulator, None where none did."""

        def look(_: Any) -> str | None:
            agent = self._server.agentInterface().get()
            return str(agent.getErrorStateMessage()) if agent.isInErrorState() else None

        return self.jvm.ask(look)

    def valid(self) -> list[str]:
        """Every valid action. The random numbers that the simulator draws for it are put back."""
        stand, self.stand = self.stand, None
        before = self.jvm.ask(lambda jvm: self._dice.save(jvm, self.jvm.release))
        found = self._lines("getValidActionObjectCombinations")
        if before is not None:
            self.jvm.ask(lambda _: self._dice.restore(before))
            self.stand = stand
        return found

    def surroundings(self) -> str:
        """What the agent sees and carries; free, and without effect."""
        return self.jvm.ask(lambda _: f"{self._server.freeActionLook()} {self._server.freeActionInventory()}")

    def gold(self) -> list[str]:
        """The planned solution, after a load with ``gold``."""
        return self._lines("getGoldActionSequence")

    def close(self) -> None:
        """End the process. May be called twice."""
        self.stand = None
        self.jvm.close()

    def _lines(self, method: str) -> list[str]:
        """A Java list of texts, fetched as one text: an item at a time would be a round trip each."""

        def fetch(jvm: Any) -> str:
            found = getattr(self._server, method)()
            text = jvm.java.lang.String.join("\n", found)
            self.jvm.release(found)
            return str(text)

        return [line for line in self.jvm.ask(fetch).split("\n") if line]

    def _probe(self) -> bool:
        hashes = self.jvm.ask(lambda jvm: {jvm.java.lang.System.identityHashCode(jvm.java.lang.Object()) for _ in "ab"})
        first = self._play(_PROBE_SCRIPT)
        self.load(Begin(*_OTHER))
        return len(hashes) == 1 and first == self._play(_PROBE_SCRIPT)

    def _play(self, script: Sequence[str]) -> list[Seen]:
        self.load(Begin(*_PROBE))
        return [self.step(text) for text in script]
