"""What every stage works with, and which tasks it works on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from agentr_core.environment import AnyEnvironment
from agentr_core.errors import Interrupted, NothingToDo
from agentr_core.pool import EnvironmentPool
from agentr_core.progress import Progress
from agentr_core.records import SamplingParams, Task
from agentr_core.registry import Registry
from agentr_core.rng import derive_rng
from agentr_core.settings import RunConfig
from agentr_core.store import Store
from agentr_core.store.rows import RunRow


class Shelf:
    """Whole environments for episodes: each is lent to one episode from its reset to its end.

    ``limit`` bounds how many exist at once. (A tree branches its states instead and shares an
    :class:`~agentr_core.pool.EnvironmentPool`.)
    """

    def __init__(self, make_environment: Callable[[], AnyEnvironment], *, limit: int) -> None:
        self._make, self._idle, self._free = make_environment, list[AnyEnvironment](), asyncio.Semaphore(limit)

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[AnyEnvironment]:
        """An environment for one episode; one that failed is closed and not lent again."""
        async with self._free:
            environment = self._idle.pop() if self._idle else self._make()
            try:
                yield environment
            except BaseException:
                with suppress(Exception):
                    environment.close()
                raise
            self._idle.append(environment)

    def close(self) -> None:
        """Close the environments that are not lent."""
        while self._idle:
            with suppress(Exception):
                self._idle.pop().close()


@dataclass(slots=True)
class Bench:
    """The store and run that a stage writes to, and the environments it borrows.

    ``make_environment`` makes one more, e.g. for a scripted policy. ``stopped`` turns true once the work is being
    interrupted: a stage then finishes the items at hand and returns. ``advice`` tells the user how to go on then.
    """

    store: Store
    run: RunRow
    config: RunConfig
    registry: Registry
    progress: Progress
    pool: EnvironmentPool
    shelf: Shelf
    make_environment: Callable[[], AnyEnvironment]
    stopped: Callable[[], bool]
    advice: str

    @property
    def environment(self) -> AnyEnvironment:
        """An environment to ask for tasks and names; episodes are played in borrowed ones."""
        return self.pool.reference

    def task_ids(self, tasks: Sequence[Task]) -> dict[str, int]:
        """Ids in the store of ``tasks``, by key."""
        return self.store.writer.add_tasks(self.config.env.name, self.environment.version, tasks)

    def stop_here(self) -> None:
        """Raise :class:`Interrupted` where the work is being interrupted."""
        if self.stopped():
            raise Interrupted(f"interrupted; {self.advice}")


@dataclass(frozen=True, slots=True)
class Made:
    """What a stage brought: its metrics, and the id of the revision set, checkpoint or evaluation that it made."""

    metrics: Mapping[str, float]
    row_id: int | None = None


def training_tasks(environment: AnyEnvironment, config: RunConfig, iteration: int) -> list[Task]:
    """The tasks searched in a 1-based iteration: a window of the split, shuffled by the run's seed.

    With ``search.rotate`` an iteration takes other tasks than the last while there are any, then begins again.
    """
    tasks = list(environment.tasks(config.search.split))
    if not tasks:
        raise NothingToDo(
            f"the split '{config.search.split}' of '{config.env.name}' has no tasks; choose another search.split"
        )
    derive_rng(config.seed, "tasks", config.search.split).shuffle(tasks)
    start = (iteration - 1) * config.search.tasks if config.search.rotate else 0
    return [tasks[(start + offset) % len(tasks)] for offset in range(min(config.search.tasks, len(tasks)))]


def evaluation_tasks(environment: AnyEnvironment, config: RunConfig) -> list[Task]:
    """The tasks every model is measured on: the same for all seeds and iterations."""
    tasks = list(environment.tasks(config.evaluate.split))
    if not tasks:
        raise NothingToDo(
            f"the split '{config.evaluate.split}' of '{config.env.name}' has no tasks; choose another evaluate.split"
        )
    if len(tasks) <= config.evaluate.tasks:
        return tasks
    chosen = set(derive_rng(0, "evaluate", config.evaluate.split).sample(range(len(tasks)), config.evaluate.tasks))
    return [task for index, task in enumerate(tasks) if index in chosen]


def evaluation_params(config: RunConfig) -> SamplingParams:
    """How a measured policy is sampled."""
    return SamplingParams(temperature=config.evaluate.temperature, max_tokens=config.evaluate.max_tokens)
