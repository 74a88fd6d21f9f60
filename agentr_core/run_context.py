"""What every stage is lent: the store, the run, its settings, and environments, policies and critics to work with."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentr_core.errors import Interrupted, PluginError, boundary
from agentr_core.interfaces.critic import AnyCritic
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy, PolicyPreview
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.play.environment_pool import EnvironmentPool
from agentr_core.play.episode_pool import EpisodePool
from agentr_core.process.progress import Progress
from agentr_core.records import Task
from agentr_core.registry.lookup import Registry
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import Store
from agentr_core.store.rows import RunRow, TreeRow


@dataclass(slots=True)
class RunContext:
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
    episodes: EpisodePool
    make_environment: Callable[[], AnyEnvironment]
    stopped: Callable[[], bool]
    advice: str

    @property
    def environment(self) -> AnyEnvironment:
        """An environment to ask for tasks and names; episodes are played in borrowed ones."""
        return self.pool.reference

    def make_policy(self, model: str | None = None) -> AnyPolicy:
        """The run's policy, with ``model`` in place of the configured one where given."""
        chosen = self.config.policy
        options = dict(chosen.options) if model is None else {**chosen.options, "model": model}
        policy: AnyPolicy = self.registry.create("policy", chosen.name, options)
        policy.bind(self.make_environment)
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

    def task_ids(self, tasks: Sequence[Task]) -> dict[str, int]:
        """Ids in the store of ``tasks``, by key."""
        return self.store.tasks.save(self.config.env.name, self.environment.version, tasks)

    def stop_here(self) -> None:
        """Raise :class:`Interrupted` where the work is being interrupted."""
        if self.stopped():
            raise Interrupted(f"interrupted; {self.advice}")


#: What is done with a tree that is done.
TreeWork = Callable[[TreeRow], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StageResult:
    """What a stage brought: its metrics, the id of the revision set, checkpoint or evaluation that it made, and the
    account of what went otherwise than it should (:mod:`agentr_core.account`)."""

    metrics: Mapping[str, float]
    row_id: int | None = None
    account: Mapping[str, int] = field(default_factory=dict)
