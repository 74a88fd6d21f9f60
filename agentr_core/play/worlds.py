"""The environments of a run at work: each with its pools, found by the task that is to be played."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from agentr_core.errors import UsageError
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.episode_pool import EpisodePool
from agentr_core.play.offered_tasks import offered_tasks
from agentr_core.process.machine import usable_cores
from agentr_core.records import Task


class World:
    """One environment of a run: ``name`` is what the run calls it, ``make`` makes one more.

    ``pool`` lends environments to trees, ``episodes`` whole ones to episodes, at most ``in_flight`` of them at once.
    """

    def __init__(self, name: str, make: Callable[[], AnyEnvironment], *, in_flight: int) -> None:
        self.name, self.make = name, make
        self.pool = EnvironmentPool(make, limit=usable_cores())
        self.episodes = EpisodePool(make, limit=in_flight)

    @property
    def environment(self) -> AnyEnvironment:
        """An environment to ask for tasks and names; episodes are played in borrowed ones."""
        return self.pool.reference

    def tasks(self, split: str) -> list[Task]:
        """The tasks of a split, which know that they are of this world.

        Raises :class:`~agentr_core.errors.EnvironmentFailure` where the environment raises.
        """
        return [task.model_copy(update={"env": self.name}) for task in offered_tasks(self.environment, split)]

    def close(self) -> None:
        """Close every environment."""
        self.episodes.close()
        self.pool.close()


def side_by_side(tasks: Sequence[Task]) -> list[Task]:
    """Tasks of several worlds so that each stretch has them in their proportion; those of one world keep their order.

    What is in flight at any time is then of all worlds: while some wait for a Java process, others fill the engine.
    """
    sizes, seen, places = Counter(task.env for task in tasks), Counter[str](), list[float]()
    for task in tasks:
        places.append((seen[task.env] + 0.5) / sizes[task.env])
        seen[task.env] += 1
    return [tasks[index] for index in sorted(range(len(tasks)), key=places.__getitem__)]


class Worlds(Mapping[str, World]):
    """The worlds of a run by name, in the run's order."""

    def __init__(self, worlds: Sequence[World]) -> None:
        self._worlds = {world.name: world for world in worlds}

    def __getitem__(self, name: str) -> World:
        return self._worlds[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._worlds)

    def __len__(self) -> int:
        return len(self._worlds)

    def of(self, task: Task) -> World:
        """The world that a task is of; a task that does not say is of the only one."""
        if not task.env and len(self) == 1:
            return next(iter(self.values()))
        return self[task.env]

    def name_of(self, env: str, key: str) -> str:
        """What a task is called where people read it: with its world where there are several, ``webshop/1401``."""
        return f"{env}/{key}" if len(self) > 1 else key

    def all_of(self, envs: Iterable[str]) -> str:
        """``, all of 'webshop'`` where things are of some of several worlds; nothing where they are of every one."""
        there = set(envs)
        return f", all of {' and '.join(repr(name) for name in self if name in there)}" if there < set(self) else ""

    def make(self, task: Task | None = None) -> AnyEnvironment:
        """One more environment for ``task``; where a run has one environment, no task is needed.

        Raises :class:`~agentr_core.errors.UsageError` where it has several and none is named.
        """
        if task is not None:
            return self.of(task).make()
        if len(self) > 1:
            raise UsageError(
                f"this run has several environments ({', '.join(self)}): a policy that makes one must say for which "
                "task, make_environment(task)"
            )
        return next(iter(self.values())).make()

    @property
    def busy_seconds(self) -> float:
        """For how long any environment of each world has worked, added up."""
        return sum(world.pool.busy.seconds for world in self.values())

    def close(self) -> None:
        """Close every environment of every world."""
        for world in self.values():
            world.close()
