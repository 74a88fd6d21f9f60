"""An episode that somebody steers turn by turn: each turn has a maker, and can be taken back."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core.errors import EnvironmentFailure, boundary
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.play.episode import Episode, threaded
from agentr_core.records import Snapshot, Step, Task
from agentr_core.turns import Message


class SteeredEpisode(Episode):
    """As :class:`~agentr_core.play.episode.Episode`; turns are made by :meth:`turn`, and :meth:`undo` takes them back.

    ``by`` says of each step who made it.
    """

    def __init__(
        self, environment: AnyEnvironment, task: Task, head: tuple[Message, ...], revision_action: str
    ) -> None:
        super().__init__(environment, task, head, revision_action)
        self.by: list[str] = []
        #: The environment's picture of the state before each step; None where it makes none.
        self._moments: list[Snapshot | None] = []

    async def turn(self, response: str, by: str, *, cut_off: bool = False) -> Step:
        """:meth:`play` a turn that ``by`` has made."""
        moment = await self._moment()
        step = await self.play(response, cut_off=cut_off)
        self._moments.append(moment)
        self.by.append(by)
        return step

    async def undo(self, count: int = 1) -> int:
        """Take back the last ``count`` steps, of which there must be so many.

        By snapshot where the environment has them; else by a new start and the steps before, and then the number of
        observations that were others than before is returned: the steps are what has been seen now.
        """
        left = len(self.steps) - count
        moment, before = self._moments[left], self.steps[:left]
        with boundary(EnvironmentFailure, f"going back in {self.task.key}"):
            if moment is not None:
                await threaded(self.environment, self.environment.restore, moment)
                differing, self.steps = 0, before
            else:
                differing = await self._again(before)
        del self._moments[len(self.steps) :], self.by[len(self.steps) :]
        return differing

    async def legal_actions(self) -> Sequence[str] | None:
        """What makes sense now, where the environment can tell."""
        with boundary(EnvironmentFailure, f"actions in {self.task.key}"):
            return await threaded(self.environment, self.environment.legal_actions)

    async def _again(self, steps: Sequence[Step]) -> int:
        first = await threaded(self.environment, self.environment.begin, self.task)
        self.steps = []
        return (first.observation != self.head[-1].content) + await self.follow(steps)

    async def _moment(self) -> Snapshot | None:
        if not self.environment.supports_snapshot:
            return None
        with boundary(EnvironmentFailure, f"snapshot in {self.task.key}"):
            return await threaded(self.environment, self.environment.snapshot)
