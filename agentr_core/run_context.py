"""What every stage is lent: the store, the run, its settings, and worlds, policies and critics to work with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from agentr_core.errors import Interrupted, PluginError, UsageError, boundary
from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.policy import AnyPolicy, PolicyPreview
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.play.admission import Admission
from agentr_core.play.worlds import Worlds
from agentr_core.process.progress import Progress
from agentr_core.records import Task
from agentr_core.registry.lookup import Registry
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import Store
from agentr_core.store.events import Event
from agentr_core.store.rows import RevisionSetRow, RunRow, TreeRow
from agentr_core.workers.crew import Crew

Planned = TypeVar("Planned")


@dataclass(frozen=True, slots=True)
class Shard:
    """Part ``number`` (from 1) of ``of``: every ``of``-th of the trees that are planned, or of a sweep's runs."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``2/8``; :class:`~agentr_core.errors.UsageError` for anything else."""
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UsageError(f"--shard {text}: write I/N, part I of N, counted from 1, such as 2/8")
        return cls(int(number), int(of))

    def mine(self, rows: Sequence[Planned]) -> list[Planned]:
        """What is this part's, of all that is planned."""
        return list(rows[self.number - 1 :: self.of])


@dataclass(slots=True)
class RunContext:
    """The store and run that a stage writes to, and the worlds whose environments it borrows.

    ``stopped`` turns true once the work is being interrupted: a stage then finishes the items at hand and returns.
    ``advice`` tells the user how to go on then.
    """

    store: Store
    run: RunRow
    config: RunConfig
    registry: Registry
    progress: Progress
    worlds: Worlds
    stopped: Callable[[], bool]
    advice: str
    #: Told each event once it is stored: a stage counts them for its line.
    told: Callable[[Event], None] | None = None
    #: Which part of the trees are this process's, where a search is shared out over several databases.
    shard: Shard | None = None
    #: The workers that do the work in this process's place; None where there are none.
    crew: Crew | None = None

    async def commit(self, event: Event) -> None:
        """Store what work has done. Everything that a tree, a revision or an episode leaves goes this way."""
        self.store.apply(event)
        if self.told is not None:
            self.told(event)

    def admission(self, policy: AnyPolicy) -> Admission:
        """How much may be in flight: what the engine has room for; with workers, what keeps all of them busy."""
        return Admission(self.config.concurrency, policy) if self.crew is None else Admission(self.crew.room)

    def make_policy(self, model: str | None = None) -> AnyPolicy:
        """The run's policy, with ``model`` in place of the configured one where given."""
        chosen = self.config.policy
        options = dict(chosen.options) if model is None else {**chosen.options, "model": model}
        policy: AnyPolicy = self.registry.create("policy", chosen.name, options)
        policy.bind(self.worlds.make)
        return policy

    def preview_policy(self, model: str | None = None) -> PolicyPreview | None:
        """What is known of the policy that :meth:`make_policy` would make, where that would load a model; else None."""
        chosen = self.config.policy
        options = dict(chosen.options) if model is None else {**chosen.options, "model": model}
        preview = getattr(self.registry.plugin_class("policy", chosen.name), "preview", None)
        if preview is None:
            return None
        config = self.registry.validate("policy", chosen.name, options)
        with boundary(PluginError, f"looking ahead at policy '{chosen.name}'"):
            found: PolicyPreview | None = preview(config)
        return found

    def make_searcher(self) -> AnySearcher:
        """The run's searcher."""
        chosen = self.config.searcher
        searcher: AnySearcher = self.registry.create("searcher", chosen.name, chosen.options)
        return searcher

    def make_critic(self) -> AnyCritic:
        """The run's critic."""
        chosen = self.config.critic
        critic: AnyCritic = self.registry.create("critic", chosen.name, chosen.options)
        return critic

    def acting(self, policy: AnyPolicy) -> dict[str, Any]:
        """Who acts, for the identity of what is done: the policy, its options, and the model that it is now."""
        options = {name: value for name, value in self.config.policy.options.items() if name != "model"}
        return {"policy": self.config.policy.name, "options": options, "model": self.model_of(policy)}

    def model_of(self, policy: AnyPolicy) -> str:
        """The acting model as the store names it: a checkpoint beside the database by its place."""
        return self.store.checkpoints.kept_model(policy.model)

    def task_ids(self, tasks: Sequence[Task]) -> list[int]:
        """The ids of ``tasks`` in the store, in their order."""
        ids: dict[tuple[str, str], int] = {}
        for world in self.worlds.values():
            own = [task for task in tasks if task.env == world.name]
            saved = self.store.tasks.save(world.name, world.environment.version, own) if own else {}
            ids |= {(world.name, key): number for key, number in saved.items()}
        return [ids[task.env, task.key] for task in tasks]

    def stop_here(self) -> None:
        """Raise :class:`Interrupted` where the work is being interrupted."""
        if self.stopped():
            raise Interrupted(f"interrupted; {self.advice}")


class TreeWork(Protocol):
    """What is done with a tree that is done: it is revised for the set ``into``.

    The admission is told what that takes of the engine, under the tree's session.
    """

    @property
    def into(self) -> RevisionSetRow:
        """The set that it belongs to."""

    async def __call__(self, row: TreeRow, admission: Admission, /) -> None:
        """Work on one tree."""


def tree_session(row: TreeRow) -> str:
    """The session of all that is asked for a tree, of growing it as of revising it: an engine finds its prefixes."""
    return str(row.id)


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage brought: its metrics, the id of the revision set, checkpoint or evaluation that it made, and the
    account of what went otherwise than it should (:mod:`agentr_core.account`)."""

    metrics: Mapping[str, float]
    row_id: int | None = None
    account: Mapping[str, int] = field(default_factory=dict)
