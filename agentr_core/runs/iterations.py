"""The iterations of a run: which stage comes next, with which model acting (Agent-R sections 3.1 and 3.2).

A stage is marked done in the store when it is complete: a run that is started again does what is missing, and ends
with the rows of the run that was never interrupted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Literal

from agentr_core.errors import UsageError
from agentr_core.evaluate.stage import evaluate_policy
from agentr_core.hashing import content_hash
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.process.closing import closing
from agentr_core.process.garbage import release_memory
from agentr_core.records import Checkpoint
from agentr_core.revise.stage import find_set, revise_trees, reviser
from agentr_core.run_context import RunContext, StageResult
from agentr_core.search.stage import grow_trees
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.store import CheckpointRow
from agentr_core.train.stage import collect, train_checkpoint, training_identity

StageName = Literal["search", "revise", "train", "evaluate"]
ALL_STAGES: tuple[StageName, ...] = ("search", "revise", "train", "evaluate")
#: The iteration number of what comes before the first one.
BASELINE = 0


class RunLoop:
    """The iterations of one run. ``out`` is the run's folder for checkpoints.

    The run's own stages (:meth:`work`) make one chain: each starts from the checkpoint that the run's last own train
    stage made. What single stages (:meth:`revise_once` and its like) make stands beside it.
    """

    def __init__(self, context: RunContext, out: Path, stages: tuple[StageName, ...] = ()) -> None:
        self.context, self.out, self.stages = context, out, stages
        self._policy: AnyPolicy | None = None
        #: The checkpoint that acts now, and the one that the loaded policy is; None is the configured model.
        self._model: str | None = None
        self._loaded: str | None = None
        self._works: dict[StageName, Callable[[int], Awaitable[StageResult]]] = {
            "search": self._search,
            "revise": self._revise,
            "train": self._train,
            "evaluate": self._evaluate,
        }

    async def work(self) -> None:
        """All iterations, each stage unless it is done already."""
        try:
            if "train" in self.stages and self.context.config.trainer.name != NO_TRAINER:
                trainable(await self._actor(), self.context.config.policy.name)
            if "evaluate" in self.stages:
                await self._stage("evaluate", BASELINE, self._evaluate)
            if set(self.stages) != {"evaluate"}:
                for iteration in range(1, self.context.config.iterations + 1):
                    await self._iterate(iteration)
        finally:
            await self._drop_policy()

    async def _iterate(self, iteration: int) -> None:
        for stage in ALL_STAGES:
            if stage in self.stages:
                await self._stage(stage, iteration, self._works[stage])

    async def _stage(self, stage: StageName, iteration: int, work: Callable[[int], Awaitable[StageResult]]) -> None:
        """Do one stage and mark it done with its metrics; a stage that is done is left alone."""
        runs, run_id = self.context.store.runs, self.context.run.id
        self.context.stop_here()
        if runs.open_stage(run_id, iteration, stage).status == "done":
            return
        self._model = self._model_for(stage, iteration)
        made = await work(iteration)
        runs.finish_stage(run_id, iteration, stage, made.metrics, result_id=made.row_id)

    async def revise_once(self, iteration: int) -> Mapping[str, float]:
        """Revise an iteration's trees with the settings at hand, beside what the run made of them."""
        return await self._once(self._model_for("revise", iteration), self._revise(iteration))

    async def train_once(self, iteration: int) -> Mapping[str, float]:
        """Train on a finished revision set with the settings at hand, in a folder of its own."""
        return await self._once(self._model_for("train", iteration), self._train(iteration, aside=True))

    async def evaluate_once(self, iteration: int, model: str | None) -> Mapping[str, float]:
        """Measure ``model`` (None: the configured one) as one of ``iteration``."""
        return await self._once(model, self._evaluate(iteration))

    async def _once(self, model: str | None, work: Awaitable[StageResult]) -> Mapping[str, float]:
        self._model = model
        try:
            return (await work).metrics
        finally:
            await self._drop_policy()

    def _model_for(self, stage: StageName, iteration: int) -> str | None:
        """The checkpoint that acts in a stage; None is the configured model."""
        own = own_checkpoint(self.context, iteration if stage == "evaluate" else iteration - 1)
        return own.path if own else None

    async def _actor(self) -> AnyPolicy:
        """The policy that acts now; a model of an earlier iteration is released first."""
        if self._policy is not None and self._loaded != self._model:
            await self._drop_policy()
        if self._policy is None:
            self._policy, self._loaded = self.context.make_policy(self._model), self._model
        return self._policy

    async def _drop_policy(self) -> None:
        if self._policy is not None:
            with closing(self._policy):
                await self._policy.close()
            self._policy = None
            release_memory()

    async def _search(self, iteration: int) -> StageResult:
        searcher = self.context.make_searcher()
        policy = await self._actor()
        if "revise" not in self.stages:
            return await grow_trees(self.context, policy, searcher, iteration)
        # A tree is revised as soon as it is done: near the end of a search the engine would else run half empty.
        critic = self.context.make_critic()
        try:
            ahead = reviser(self.context, policy, critic, iteration)
            return await grow_trees(self.context, policy, searcher, iteration, ahead)
        finally:
            with closing(critic):
                await critic.close()

    async def _revise(self, iteration: int) -> StageResult:
        critic = self.context.make_critic()
        try:
            return await revise_trees(self.context, await self._actor(), critic, iteration)
        finally:
            with closing(critic):
                await critic.close()

    async def _train(self, iteration: int, *, aside: bool = False) -> StageResult:
        plugin = self.context.config.trainer
        if plugin.name == NO_TRAINER:
            return StageResult({})
        policy = await self._actor()
        start = self._start(trainable(policy, self.context.config.policy.name), iteration)
        revision_set = find_set(self.context, policy, self.context.make_critic(), iteration)
        await self._drop_policy()
        row, dataset = collect(self.context, revision_set, iteration)
        folder = f"iteration-{iteration}"
        if aside:
            digest = content_hash([training_identity(self.context, start), row.content_hash])
            folder += f"-{row.name}-{digest[:8]}"
        trainer = self.context.registry.create("trainer", plugin.name, plugin.options)
        try:
            return await train_checkpoint(self.context, trainer, start, row, dataset, iteration, self.out / folder)
        finally:
            release_memory()

    def _start(self, acting: str, iteration: int) -> Checkpoint:
        """What the training of an iteration starts from: the acting model, or the one the run began with."""
        before = own_checkpoint(self.context, iteration - 1)
        base = before.base_model if before else acting
        model = base if self.context.config.start_from == "base" else acting
        return Checkpoint(model=model, base_model=base, iteration=iteration - 1)

    async def _evaluate(self, iteration: int) -> StageResult:
        return await evaluate_policy(self.context, await self._actor(), iteration)


def own_checkpoint(context: RunContext, iteration: int) -> CheckpointRow | None:
    """What the run's own train stages have made last, up to ``iteration``; None where they have made nothing."""
    stages = context.store.runs.stages(context.run.id)  # by iteration; a stage without a trainer has made nothing
    made = [row.result_id for row in stages if row.stage == "train" and row.iteration <= iteration and row.result_id]
    return context.store.checkpoints.get(made[-1]) if made else None


def trainable(policy: AnyPolicy, name: str) -> str:
    """Where the policy's weights can be loaded from; :class:`UsageError` for one that cannot be trained."""
    if policy.weights is None:
        raise UsageError(
            f"the policy '{name}' has no weights to train; choose --policy transformers, or --trainer none"
        )
    return policy.weights
