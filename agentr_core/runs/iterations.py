"""The iterations of a run: which stage comes next, with which model acting (Agent-R sections 3.1 and 3.2).

A stage is marked done in the store when it is complete: a run that is started again does what is missing, and ends
with the rows of the run that was never interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from agentr_core.account import warnings
from agentr_core.errors import PolicyFailure, UsageError, boundary
from agentr_core.evaluate.stage import evaluate_policy
from agentr_core.hashing import content_hash
from agentr_core.interfaces.executor import LOCAL
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.trainer import AnyTrainer
from agentr_core.process.closing import closing
from agentr_core.process.garbage import release_memory
from agentr_core.records import Checkpoint
from agentr_core.revise.stage import find_set, revise_trees, revising_ahead
from agentr_core.run_context import RunContext, StageResult
from agentr_core.runs.critic_preflight import critic_answers
from agentr_core.runs.elsewhere import PolicyElsewhere, open_crew
from agentr_core.runs.preflight import Found, free_checks, trainable
from agentr_core.runs.revising import at_work, revises, why_unread
from agentr_core.search.stage import grow_trees
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.store import CheckpointRow, DatasetRow, RevisionSetRow
from agentr_core.train.stage import needs_revisions, prepare, train_checkpoint, training_identity

StageName = Literal["search", "revise", "train", "evaluate"]
ALL_STAGES: tuple[StageName, ...] = ("search", "revise", "train", "evaluate")
#: The iteration number of what comes before the first one.
BASELINE = 0
#: Seconds between two looks at whether the user has interrupted, while a policy gets ready.
LOOK_SECONDS = 0.2


class RunLoop:
    """The iterations of one run. ``out`` is the run's folder for checkpoints.

    The run's own stages (:meth:`work`) make one chain: each starts from the checkpoint that the run's last own train
    stage made. What single stages (:meth:`revise_once` and its like) make stands beside it.
    """

    def __init__(self, context: RunContext, out: Path, stages: tuple[StageName, ...] = ()) -> None:
        self.context, self.out, self.stages = context, out, stages
        self._policy: AnyPolicy | None = None
        self._is_ready = False
        #: True once nothing of what can be known at the start speaks against the run.
        self.begun = False
        #: The checkpoint that acts now, and the one that the loaded policy is; None is the configured model.
        self._model: str | None = None
        self._loaded: str | None = None
        self._works: dict[StageName, Callable[[int], Awaitable[StageResult]]] = {
            "search": self._search,
            "revise": self._revise_what_is_read,
            "train": self._train,
            "evaluate": self._evaluate,
        }

    async def work(self) -> None:
        """All iterations, each stage unless it is done already."""
        try:
            await self._look_ahead()
            if "evaluate" in self.stages:
                await self._stage("evaluate", BASELINE, self._evaluate)
            if set(self.stages) != {"evaluate"}:
                for iteration in range(1, self.context.config.iterations + 1):
                    await self._iterate(iteration)
        finally:
            await self._drop_policy()

    async def _look_ahead(self) -> None:
        """What can be known at the start fails here, before a token is paid for; what is worth a line is said."""
        coming = self._coming()
        if coming is None:
            return
        self._model = self._model_for(*coming)
        stages = at_work(self.context.config, self.context.registry, self.stages)
        known = self.context.preview_policy(self._model) or await self._made()
        await self._say(free_checks(self.context, known, self.out, stages))
        policy = await self._made()
        self.begun = True
        with self._told_how_to_go_on():
            await self._actor()
        if "revise" in stages:
            await self._try_critic(policy)

    async def _try_critic(self, policy: AnyPolicy) -> None:
        """See what the critic answers to a first question; not where only workers have the model that it asks."""
        chosen = self.context.config.critic.name
        if self.context.crew is None:
            await self._say(critic_answers(self.context, policy))
        elif self.context.registry.plugin_class("critic", chosen).uses_actor:
            self.context.progress.say(f"the first answer to '{chosen}' is not looked at: the model is in the workers")

    async def _say(self, checks: AsyncIterator[Found]) -> None:
        """What is worth a line of what the checks find."""
        async for found in checks:
            if found.warning:
                self.context.progress.say(f"warning: {found.what}: {found.told}")

    def _coming(self) -> tuple[StageName, int] | None:
        """The first stage that is not done yet, and its iteration."""
        rows = self.context.store.runs.stages(self.context.run.id)
        done = {(row.stage, row.iteration) for row in rows if row.status == "done"}
        order: list[tuple[StageName, int]] = [("evaluate", BASELINE)]
        order += [(stage, number) for number in range(1, self.context.config.iterations + 1) for stage in ALL_STAGES]
        if set(self.stages) == {"evaluate"}:
            del order[1:]
        return next((each for each in order if each[0] in self.stages and each not in done), None)

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
        with self._told_how_to_go_on(), self._under_way(stage, iteration):
            made = await work(iteration)
        runs.save_account(run_id, iteration, stage, made.account)
        for warning in warnings(made.account):
            self.context.progress.say(f"warning: {warning}")
        runs.finish_stage(run_id, iteration, stage, made.metrics, result_id=made.row_id)

    @contextmanager
    def _under_way(self, stage: StageName, iteration: int) -> Iterator[None]:
        """How far the stage is stands in the store meanwhile, as its line has it, for whoever looks at the run."""
        progress, move = self.context.progress, partial(self.context.store.runs.move_stage, self.context.run.id)
        move(iteration, stage, None, None)  # what a killed process said of it is no longer true
        progress.heard = lambda bar: move(iteration, stage, bar.share, bar.seconds_left)
        try:
            yield
        finally:
            progress.heard = None

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
            with self._told_how_to_go_on():
                return (await work).metrics
        finally:
            await self._drop_policy()

    def _model_for(self, stage: StageName, iteration: int) -> str | None:
        """The checkpoint that acts in a stage; None is the configured model."""
        own = own_checkpoint(self.context, iteration if stage == "evaluate" else iteration - 1)
        return own.path if own else None

    async def _actor(self) -> AnyPolicy:
        """The policy that acts now, once it is ready to; it can be interrupted until then.

        Where workers act, they get ready, each with a policy of its own.
        """
        policy = await self._made()
        if not self._is_ready:
            if self._elsewhere:
                self.context.crew = await open_crew(self.context, policy, self._model)
            else:
                await self._get_ready(policy)
            self._is_ready = True
        return policy

    @property
    def _elsewhere(self) -> bool:
        return self.context.config.executor.name != LOCAL

    async def _get_ready(self, policy: AnyPolicy) -> None:
        waiting = asyncio.ensure_future(policy.ready())
        while not (await asyncio.wait({waiting}, timeout=LOOK_SECONDS))[0]:
            if self.context.stopped():
                waiting.cancel()
        if waiting.cancelled():
            self.context.stop_here()
        with boundary(PolicyFailure, f"the policy '{policy.model}' did not get ready"):
            await waiting

    @contextmanager
    def _told_how_to_go_on(self) -> Iterator[None]:
        """What the user is to mend is said together with the line that goes on then: what was done is kept."""
        try:
            yield
        except UsageError as error:
            error.args = (f"{error}\n{self.context.advice}",)
            raise

    async def _made(self) -> AnyPolicy:
        """The policy that acts now, whether it is ready or not; a model of an earlier iteration is released first."""
        if self._policy is not None and self._loaded != self._model:
            await self._drop_policy()
        if self._policy is None:
            self._is_ready = False
            known = self.context.preview_policy(self._model) if self._elsewhere else None
            self._policy = self.context.make_policy(self._model) if known is None else PolicyElsewhere(known)
            self._loaded = self._model
        return self._policy

    async def _drop_policy(self) -> None:
        if self.context.crew is not None:
            await self.context.crew.close()
            self.context.crew = None
        if self._policy is not None:
            with closing(self._policy):
                await self._policy.close()
            self._policy = None
            release_memory()

    async def _search(self, iteration: int) -> StageResult:
        searcher = self.context.make_searcher()
        try:
            return await self._search_with(searcher, iteration)
        finally:
            with closing(searcher):
                await searcher.close()

    async def _search_with(self, searcher: AnySearcher, iteration: int) -> StageResult:
        policy = await self._actor()
        if not self._revises(iteration):
            return await grow_trees(self.context, policy, searcher, iteration)
        # A tree is revised as soon as it is done: near the end of a search the engine would else run half empty.
        critic = self.context.make_critic()
        try:
            ahead = revising_ahead(self.context, policy, critic, iteration)
            return await grow_trees(self.context, policy, searcher, iteration, ahead)
        finally:
            with closing(critic):
                await critic.close()

    async def _revise_what_is_read(self, iteration: int) -> StageResult:
        """The run's own revisions: none where nothing is trained on them."""
        if self._revises(iteration):
            return await self._revise(iteration)
        self.context.progress.say(f"iter {iteration} revise  {why_unread(self.context.config, iteration)}")
        return StageResult({})

    def _revises(self, iteration: int) -> bool:
        return revises(self.context.config, self.context.registry, iteration, self.stages)

    async def _revise(self, iteration: int) -> StageResult:
        critic = self.context.make_critic()
        try:
            critic.check()
            return await revise_trees(self.context, await self._actor(), critic, iteration)
        finally:
            with closing(critic):
                await critic.close()

    async def _train(self, iteration: int, *, aside: bool = False) -> StageResult:
        plugin = self.context.config.trainer_at(iteration)
        if plugin.name == NO_TRAINER:
            return StageResult({})
        policy = await self._made()
        start = self._start(trainable(policy, self.context.config.policy.name), policy.template_options, iteration)
        trainer: AnyTrainer = self.context.registry.create("trainer", plugin.name, plugin.options)
        revision_set = await self._revision_set(policy, trainer, iteration)
        await self._drop_policy()
        row, dataset = prepare(self.context, trainer, start, revision_set, iteration)
        folder = self._folder(iteration, start, row, aside=aside)
        try:
            stage, out = f"train-{folder}" if aside else "train", self.out / folder
            return await train_checkpoint(self.context, trainer, start, row, dataset, iteration, out, stage)
        finally:
            release_memory()

    async def _revision_set(self, policy: AnyPolicy, trainer: AnyTrainer, iteration: int) -> RevisionSetRow | None:
        """The revision set that is trained on, where the training needs one."""
        if not needs_revisions(self.context.config, trainer):
            return None
        critic = self.context.make_critic()
        try:
            return find_set(self.context, policy, critic, iteration)
        finally:
            with closing(critic):
                await critic.close()

    def _folder(self, iteration: int, start: Checkpoint, dataset: DatasetRow, *, aside: bool) -> str:
        """Where a training leaves its model: a folder of its own where it stands aside, or another one was first."""
        plain, identity = f"iteration-{iteration}", training_identity(self.context, start, iteration)
        path = str(self.out / plain / "model")
        others = [row for row in self.context.store.checkpoints.select(self.context.run.id) if row.path == path]
        taken = any((row.dataset_id, row.config) != (dataset.id, identity) for row in others)
        if not aside and not taken:
            return plain
        digest = content_hash([identity, dataset.content_hash])
        return f"{plain}-{dataset.name.replace('/', '_')}-{digest[:8]}"  # an environment may be called so

    def _start(self, acting: str, options: dict[str, Any] | None, iteration: int) -> Checkpoint:
        """What the training of an iteration starts from: the acting model, or the one the run began with."""
        before = own_checkpoint(self.context, iteration - 1)
        base = before.base_model if before else acting
        model = base if self.context.config.start_from == "base" else acting
        return Checkpoint(model=model, base_model=base, iteration=iteration - 1, template_options=options)

    async def _evaluate(self, iteration: int) -> StageResult:
        return await evaluate_policy(self.context, await self._actor(), iteration)


def own_checkpoint(context: RunContext, iteration: int) -> CheckpointRow | None:
    """What the run's own train stages have made last, up to ``iteration``; None where they have made nothing."""
    stages = context.store.runs.stages(context.run.id)  # by iteration; a stage without a trainer has made nothing
    made = [row.result_id for row in stages if row.stage == "train" and row.iteration <= iteration and row.result_id]
    return context.store.checkpoints.get(made[-1]) if made else None
