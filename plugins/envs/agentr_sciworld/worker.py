"""One simulator in one Java process: it plays an episode at a time and knows which inputs it has executed."""

from __future__ import annotations

from typing import Any

from agentr_core import PluginError
from agentr_sciworld.jvm import Jvm, JvmSettings
from agentr_sciworld.luck import Dice
from agentr_sciworld.moments import FIRST_INPUT, Begin, Moment, Seen
from agentr_sciworld.snapshots import Snapshots, snapshot_classes

#: What loading a task, and putting a snapshot back, cost beside a step. A guess that holds on most machines.
LOAD, RESTORE = 5.0, 0.3
#: A short script in which the order of sets and the random numbers show, and a task that is loaded in between.
_PROBE = Begin("use-thermometer", 0)
_PROBE_START = (FIRST_INPUT, "open door to kitchen", "go to kitchen")
_PROBE_REST = ("look around", "wait1", "look around")
_OTHER = Begin("find-plant", 0)


class Worker:
    """A simulator. :class:`~agentr_core.JavaLost` from any method where its process is gone or stuck.

    ``stand`` is None where nobody knows what state it is in. ``loads`` and ``steps`` count what was done.
    ``exact``: a short episode, played twice with another one in between, showed the same, and all objects have the same
    hash. ``snapshots``: None where there are none, or that episode did not go on the same after one was put back.
    """

    def __init__(self, settings: JvmSettings) -> None:
        classes = snapshot_classes(settings)
        self.jvm = Jvm(settings, classes)
        self.stand: Moment | None = None
        self.snapshots: Snapshots | None = None
        self.loads = self.steps = 0
        try:
            self._server: Any = self.jvm.ask(lambda jvm: jvm.scienceworld.runtime.pythonapi.PythonInterface())
            self._dice: Dice = self.jvm.ask(Dice)
            if classes is not None:
                java = self.jvm.ask(lambda jvm: jvm.agentr.Snapshots(self._server))
                self.snapshots = Snapshots(java, settings.memory_mb)
            self.exact = self._probe()
        except BaseException:
            self.jvm.kill()
            raise

    def way(self, moment: Moment) -> float:
        """About what it takes to bring this simulator to ``moment``, in steps. May be asked from any thread."""
        stand, snapshots = self.stand, self.snapshots
        for missing, past in enumerate(moment.back()):
            if stand is not None and stand.key == past.key:
                return missing
            if snapshots is not None and snapshots.held(past):
                return RESTORE + missing
        return LOAD + moment.depth

    def bring(self, moment: Moment) -> list[tuple[Moment, str]]:
        """Stand at ``moment``: step from where it stands, from a snapshot or from the start.

        Returns the moments that showed something else this time, with what they showed; the record stands.
        """
        trail = list[Moment]()
        for past in moment.back():
            if self._stands_at(past) or self._restored(past):
                break
            trail.append(past)
        else:
            self.load(trail.pop().begin)
        return [(past, seen) for past in reversed(trail) if (seen := self._again(past)) != past.observation]

    def _stands_at(self, moment: Moment) -> bool:
        if self.stand is None or self.stand.key != moment.key:
            return False
        self.stand = moment  # the one that its episode may call wanted
        return True

    def _restored(self, moment: Moment) -> bool:
        """True where a snapshot of ``moment`` was put back."""
        snapshots = self.snapshots
        if snapshots is None or snapshots.held(moment) is None:
            return False
        self._leave()
        if not snapshots.held(moment):  # to keep one, another had to go
            return False
        restored = self.jvm.ask(lambda _: snapshots.restore(moment))
        self.stand = snapshots.held(moment) if restored else None
        return restored

    def _again(self, moment: Moment) -> str:
        seen = self.step(moment.text).observation
        self.stand = moment
        return seen

    def _leave(self) -> None:
        """Keep the present state where somebody may come back to it."""
        stand, snapshots = self.stand, self.snapshots
        self.stand = None
        if stand is not None and stand.wanted and snapshots is not None:
            self.jvm.ask(lambda _: snapshots.keep(stand))

    def begin(self, begin: Begin) -> Moment:
        """The first moment of an episode: loaded, or put back where it is held, and looked around."""
        opening = Moment.opening(begin)
        if not self._restored(opening):
            self.load(begin)
            self.step(FIRST_INPUT)
        assert self.stand is not None
        return self.stand

    def load(self, begin: Begin, *, gold: bool = False) -> str:
        """Load a task and return its description; with ``gold`` a way to solve it is planned as well."""
        self._leave()
        self.loads += 1
        self.jvm.ask(lambda _: self._server.load(begin.kind, begin.variation, begin.simplifications, gold))
        description: str = self.jvm.ask(lambda _: self._server.getTaskDescription())
        if not gold:  # planning draws random numbers: the episode would not be the one that can be played again
            self.stand = Moment.start(begin, description)
        return description

    def step(self, text: str) -> Seen:
        """Execute one input, whatever it is."""
        stand = self.stand
        self._leave()
        self.steps += 1
        seen = self.jvm.ask(lambda _: self._step(text))
        self.stand = None if stand is None else stand.after(text, seen.observation)
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
        """Whether replay is exact here. Snapshots that are not, are not used."""
        hashes = self.jvm.ask(lambda jvm: {jvm.java.lang.System.identityHashCode(jvm.java.lang.Object()) for _ in "ab"})
        first, middle = self._play()
        self.load(_OTHER)
        continued = self._restored(middle) and self._ends()
        again, _ = self._play()
        exact = len(hashes) == 1 and first == again
        if self.snapshots is not None and not (exact and continued == first[len(_PROBE_START) :]):
            self._refuse_snapshots()
        return exact

    def _play(self) -> tuple[list[object], Moment]:
        """What the script shows, and its middle, of which a snapshot is kept."""
        self.load(_PROBE)
        seen: list[object] = [self.step(text) for text in _PROBE_START]
        middle = self.stand
        assert middle is not None
        middle.wanted = True
        return [*seen, *self._ends()], middle

    def _ends(self) -> list[object]:
        seen = [self.step(text) for text in _PROBE_REST]
        return [*seen, self.jvm.ask(lambda jvm: self._dice.save(jvm, self.jvm.release))]

    def _refuse_snapshots(self) -> None:
        self.snapshots = None
        if self.jvm.settings.snapshots == "on":
            raise PluginError(
                "sciworld cannot take snapshots on this Java: a simulator that was put back goes on differently; "
                "use OpenJDK 8 to 21, or -o sciworld.snapshots=auto"
            )
