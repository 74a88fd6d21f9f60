"""One episode of an evaluation, played and committed: in this process, or in a worker's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from agentr_core.evaluate.metrics import loop_count
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.admission import Admission
from agentr_core.play.episode import Player, Rollout
from agentr_core.records import SamplingParams, Step, Task
from agentr_core.run_context import RunContext
from agentr_core.seeds import derive_seed
from agentr_core.settings.run_config import RunConfig
from agentr_core.store.rows import EvalKind, EvalResult


@dataclass(frozen=True, slots=True)
class EpisodeItem:
    """One episode to play: ``given`` steps come from the record, the rest from the policy."""

    task: Task
    task_id: int
    repeat: int = 0
    given: tuple[Step, ...] = ()

    @property
    def names(self) -> tuple[str | int, ...]:
        """What seeds and sessions are derived from; the first repeat is what a task that is played once is."""
        return (self.task.key, self.repeat) if self.repeat else (self.task.key,)

    def session(self, kind: EvalKind) -> str:
        """What the episode is called to the policy."""
        return "-".join(map(str, (kind, self.task.env, *self.names)))

    def seed(self, kind: EvalKind, config: RunConfig) -> int:
        """The seed of the episode."""
        return derive_seed(config.seed, "evaluate", kind, *self.names)


@dataclass(slots=True)
class Episodes:
    """Plays episodes of the evaluation ``eval_id``. ``partly`` is told by session how much of one is done, 0 to 1."""

    context: RunContext
    policy: AnyPolicy
    kind: EvalKind
    eval_id: int
    admission: Admission
    partly: Callable[[str, float], None] = lambda session, share: None
    _players: dict[str, Player] = field(default_factory=dict)

    async def play(self, item: EpisodeItem) -> bool:
        """Play one episode and commit how it went; False where the run was stopped in the middle of it."""
        context, session = self.context, item.session(self.kind)
        seed, world = item.seed(self.kind, context.config), context.worlds.of(item.task)
        try:
            async with world.episodes.lend() as environment:
                rollout = await self._player(world.name).rollout(
                    environment, item.task, seed=seed, session=session, given=item.given
                )
        finally:
            self.admission.end(session)
        if context.stopped():
            return False
        await context.commit(context.store.evaluations.played(self.eval_id, _result(item, rollout)))
        return True

    def _player(self, environment: str) -> Player:
        """The player of one of the run's environments, who tells how far it is and can be stopped."""
        if environment not in self._players:
            player = player_of(self.context.config, self.policy, environment, self.kind)

            def turned(session: str, played: int) -> None:
                self.partly(session, played / player.max_turns)

            self._players[environment] = replace(
                player, stopped=self.context.stopped, admission=self.admission, turned=turned
            )
        return self._players[environment]


def player_of(config: RunConfig, policy: AnyPolicy, environment: str, kind: EvalKind = "plain") -> Player:
    """How ``policy`` plays the episodes of one of the environments when it is measured."""
    settings = config.evaluate_of(environment)
    turns = settings.max_turns if kind == "plain" else settings.revision_turns
    params = SamplingParams(temperature=settings.temperature, max_tokens=settings.max_tokens)
    return Player(policy, params, turns, config.revise.revision_action)


def draw_of(config: RunConfig, task: Task) -> tuple[int, str]:
    """Seed and session of the episode of ``task`` when a model is measured: with them another is played just so."""
    item = EpisodeItem(task, 0)
    return item.seed("plain", config), item.session("plain")


def _result(item: EpisodeItem, rollout: Rollout) -> EvalResult:
    own = rollout.trajectory.steps[rollout.prefix :]
    return EvalResult(
        task_id=item.task_id,
        repeat=item.repeat,
        reward=rollout.trajectory.reward,
        score=rollout.trajectory.steps[-1].score if rollout.trajectory.steps else 0.0,
        success=rollout.trajectory.success,
        steps=len(own),
        invalid=sum(step.invalid for step in own),
        loops=loop_count([step.action or step.response for step in own]),
        prompt_tokens=rollout.prompt_tokens,
        completion_tokens=rollout.completion_tokens,
        elapsed_seconds=rollout.elapsed_seconds,
        cut_off=rollout.cut_off,
        context_full=rollout.context_full,
        shown_in_part=rollout.shortened,
        messages=rollout.trajectory.messages(),
    )
