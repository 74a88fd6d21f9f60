"""Before a critic's first question is needed: one that asks a model is asked once, and its answer is read."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from agentr_core.errors import AgentrError
from agentr_core.interfaces.first_error import StepwiseCritic
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.tree import Tree
from agentr_core.play.episode import Episode, distances_along
from agentr_core.play.in_flight import ENDS_ALL
from agentr_core.process.closing import closing
from agentr_core.records import Trajectory, Verdict
from agentr_core.revise.critique_context import TreeCritique
from agentr_core.run_context import RunContext
from agentr_core.runs.preflight import Found, a_task


async def critic_answers(context: RunContext, policy: AnyPolicy) -> AsyncIterator[Found]:
    """A critic that asks a model gets an answer that it can read; a judge that is away is no reason not to begin.

    Raises :class:`~agentr_core.errors.UsageError` where the judge is not what was asked for.
    """
    critic = context.make_critic()
    try:
        if isinstance(critic, StepwiseCritic):
            critique, verdict = await _first_verdict(context, policy, critic)
            if critique.tokens and verdict is not None:
                yield _readable(context, verdict)
    except ENDS_ALL:
        raise
    except AgentrError as error:
        yield Found("critic", f"'{context.config.critic.name}' could not be tried: {error}", warning=True)
    finally:
        with closing(critic):
            await critic.close()


async def _first_verdict(
    context: RunContext, policy: AnyPolicy, critic: StepwiseCritic[Any]
) -> tuple[TreeCritique, Verdict | None]:
    """What the critic says of the first step of an attempt that is made for it."""
    world = next(iter(context.worlds.values()))
    task, action = a_task(world, context.config), context.config.revise.revision_action
    async with world.episodes.lend() as environment:
        episode = await Episode.begin(environment, task, action)
        actions = environment.legal_actions() or environment.demonstrate(task) or ["look around"]
        await episode.play(f"Thought: I try this first.\nAction: {actions[0]}")

        async def distances(trajectory: Trajectory) -> list[float | None]:
            return await distances_along(environment, trajectory, action)

        critique = TreeCritique(
            Tree(task, episode.head, seed=0),
            policy,
            distances,
            domain=environment.domain_of(task),
            seed=context.config.seed,
            session="preflight",
            known={},
            make_environment=context.worlds.make,
        )
        verdicts = await critic.verdicts(episode.trajectory(), [1], critique)
    return critique, verdicts[0] if verdicts else None


def _readable(context: RunContext, verdict: Verdict) -> Found:
    name = context.config.critic.name
    if verdict.readable:
        return Found("critic", f"'{name}' was asked once and answered '{verdict.label}'")
    answer = " ".join(verdict.rationale.split())[:80]
    longer = f"give it more tokens (-o {name}.max_tokens), or " if "max_tokens" in context.config.critic.options else ""
    told = (
        f"the first answer to '{name}' holds no verdict ({answer!r}): where none does, nothing is cut "
        f"(Direct-Revision); {longer}take a judge that follows its format, or a critic that asks no model (value)"
    )
    return Found("critic", told, warning=True)
