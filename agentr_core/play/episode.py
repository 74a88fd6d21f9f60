"""One attempt in the making: an environment, the conversation so far, and what the agent does next.

Evaluation, the revision test and verified splices all play episodes; the searcher grows trees instead
(:mod:`agentr_core.search.search_context`), by the same rules.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ParamSpec, Self, TypeVar

from agentr_core.errors import EnvironmentFailure, PolicyFailure, boundary
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.turn_parsing import REVISION_ACTION, parse_turn, reaches_environment, step_of
from agentr_core.play.admission import Admission
from agentr_core.prompts.conversation import fit, fits, head
from agentr_core.records import Completion, SampleRequest, SamplingParams, Step, Task, Trajectory
from agentr_core.seeds import derive_seed
from agentr_core.turns import Message

P = ParamSpec("P")
T = TypeVar("T")


class Episode:
    """Plays agent turns in ``environment``; made by :meth:`begin`, which resets it to ``task``.

    The revision action never reaches the environment: it is answered ``ok.`` and costs no environment step (method
    choice 7). A turn without an action is answered with what was wrong with it. Environment work runs in a thread
    where the environment blocks (a JVM).
    """

    def __init__(
        self, environment: AnyEnvironment, task: Task, head: tuple[Message, ...], revision_action: str
    ) -> None:
        self.environment, self.task, self.head, self.revision_action = environment, task, head, revision_action
        self.steps: list[Step] = []
        #: Observations that were shown in part.
        self.shortened = 0

    @classmethod
    async def begin(cls, environment: AnyEnvironment, task: Task, revision_action: str = REVISION_ACTION) -> Self:
        """Start an episode of ``task``; :class:`EnvironmentFailure` where the environment raises."""
        with boundary(EnvironmentFailure, f"reset of {task.key}"):
            first = await threaded(environment, environment.begin, task)
        episode = cls(environment, task, head(environment, task, first.observation), revision_action)
        episode.shortened += "left_out" in first.info
        return episode

    @property
    def ended(self) -> bool:
        """True once the environment has terminated or truncated the task."""
        return bool(self.steps) and (self.steps[-1].terminated or self.steps[-1].truncated)

    async def play(self, response: str, *, cut_off: bool = False) -> Step:
        """Do what the agent's turn says and append the step; ``cut_off``: it ended because it had become too long."""
        parsed, result = parse_turn(self.environment.parse, response, cut_off=cut_off), None
        if reaches_environment(parsed.action, self.revision_action):
            with boundary(EnvironmentFailure, f"step of {self.task.key}"):
                result = await threaded(self.environment, self.environment.act, parsed.action)
            self.shortened += "left_out" in result.info
        reward, score = (self.steps[-1].reward, self.steps[-1].score) if self.steps else (0.0, 0.0)
        step = step_of(response, parsed, result, reward=reward, score=score, cut_off=cut_off)
        self.steps.append(step)
        return step

    async def follow(self, given: Sequence[Step]) -> int:
        """Do recorded steps again, to their end or the episode's; how many showed something else than the record."""
        differing = 0
        for step in given:
            seen = await self.play(step.response, cut_off=step.cut_off)
            differing += seen.observation != step.observation
            if self.ended:
                break
        return differing

    def trajectory(self) -> Trajectory:
        """The attempt so far."""
        return Trajectory(self.task, self.head, tuple(self.steps))

    def messages(self) -> list[Message]:
        """The conversation so far."""
        return list(self.trajectory().messages())


@dataclass(slots=True)
class Rollout:
    """A finished episode and what it cost. ``prefix`` leading steps were given, not sampled; ``mismatches`` of their
    observations differed from the record. ``cut_off`` sampled turns ended because they had become too long;
    ``context_full``: the episode ended because its conversation no longer fits the policy's context; ``shortened``
    observations were shown in part."""

    trajectory: Trajectory
    prefix: int = 0
    mismatches: int = 0
    cut_off: int = 0
    context_full: bool = False
    shortened: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    elapsed_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Player:
    """How episodes are played: the policy, its sampling parameters and the cap on turns.

    ``admission`` is told what they take of the engine, by their session.
    """

    policy: AnyPolicy
    params: SamplingParams
    max_turns: int
    revision_action: str = REVISION_ACTION
    stopped: Callable[[], bool] = field(default=lambda: False)
    admission: Admission | None = None
    #: Told of each turn that was sampled: the episode's session, and how many turns it has had.
    turned: Callable[[str, int], None] = field(default=lambda session, turns: None)

    async def rollout(
        self,
        environment: AnyEnvironment,
        task: Task,
        *,
        seed: int,
        session: str,
        given: Sequence[Step] = (),
    ) -> Rollout:
        """Do the ``given`` steps again, then let the policy go on until the end or ``max_turns`` sampled turns."""
        started = time.perf_counter()
        episode = await Episode.begin(environment, task, self.revision_action)
        rollout = Rollout(episode.trajectory(), prefix=len(given))
        rollout.mismatches = await episode.follow(given)
        for turn in range(self.max_turns):
            if episode.ended or self.stopped():
                break
            rollout.context_full = not self.has_room(episode)
            if rollout.context_full:
                break
            await self._turn(episode, rollout, turn_seed(seed, turn), session)
            self.turned(session, turn + 1)
        rollout.trajectory, rollout.shortened = episode.trajectory(), episode.shortened
        rollout.elapsed_seconds = time.perf_counter() - started
        return rollout

    def has_room(self, episode: Episode) -> bool:
        """True where the conversation, trimmed as far as it may be, leaves room for a turn in the policy's context."""
        return fits(self.policy, episode.messages(), self.params)

    async def ask(
        self, episode: Episode, *, seed: int, session: str, n: int = 1, params: SamplingParams | None = None
    ) -> list[Completion]:
        """``n`` turns that the policy would play next, drawn as episodes draw them unless ``params`` say otherwise.

        Raises :class:`~agentr_core.errors.PolicyFailure` where it gives none.
        """
        params = params or self.params
        messages = fit(self.policy, episode.messages(), params)
        request = SampleRequest(tuple(messages), params, n=n, seed=seed, session=session, task=episode.task)
        with boundary(PolicyFailure, f"the policy '{self.policy.model}' failed on task '{episode.task.key}'"):
            answers = await self.policy.sample(request)
        if not answers or answers[0].finish_reason == "error":
            raise PolicyFailure(f"the policy '{self.policy.model}' gave no answer; it must give one for each sample")
        return answers

    async def _turn(self, episode: Episode, rollout: Rollout, seed: int, session: str) -> None:
        (answer, *_) = await self.ask(episode, seed=seed, session=session)
        rollout.prompt_tokens += answer.prompt_tokens
        rollout.completion_tokens += len(answer.token_ids)
        if self.admission is not None:
            self.admission.note(session, answer.prompt_tokens + len(answer.token_ids))
        cut_off = answer.finish_reason == "length"
        rollout.cut_off += cut_off
        await episode.play(answer.text, cut_off=cut_off)


def turn_seed(seed: int, turn: int) -> int:
    """The seed of an episode's turn number ``turn``, counted from 0, where ``seed`` is the episode's."""
    return derive_seed(seed, "turn", turn)


async def distances_along(
    environment: AnyEnvironment, trajectory: Trajectory, revision_action: str = REVISION_ACTION
) -> list[float | None]:
    """The environment's distance to the goal before the first step and after each, by playing them again (T + 1)."""
    episode = await Episode.begin(environment, trajectory.task, revision_action)
    with boundary(EnvironmentFailure, f"distances in {trajectory.task.key}"):
        far = [await threaded(environment, environment.distance)]
        for step in trajectory.steps:
            await episode.play(step.response, cut_off=step.cut_off)
            far.append(await threaded(environment, environment.distance))
    return far


async def threaded(environment: AnyEnvironment, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run environment work in a thread where it blocks (a JVM), directly where it does not."""
    if environment.blocking:
        return await asyncio.to_thread(work, *args, **kwargs)
    return work(*args, **kwargs)
