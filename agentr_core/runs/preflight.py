"""Before a token is paid for: what can be known at the start fails at the start, in one sentence.

``agentr run`` looks at all of it before the first stage, ``agentr doctor --model M --env E`` does so alone.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentr_core.errors import AgentrError, UsageError
from agentr_core.evaluate.stage import evaluation_tasks
from agentr_core.interfaces.critic import StepwiseCritic
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.tree import Tree
from agentr_core.play.episode import Episode, distances_along
from agentr_core.play.in_flight import ENDS_ALL
from agentr_core.process.closing import closing
from agentr_core.prompts.conversation import head
from agentr_core.records import Checkpoint, Message, Task, Trajectory, Verdict
from agentr_core.revise.tree_critique import TreeCritique
from agentr_core.run_context import RunContext
from agentr_core.search.stage import training_tasks
from agentr_core.train.recipes import check_general


@dataclass(frozen=True, slots=True)
class Found:
    """What a check has found: ``what`` was looked at, and what was seen; a ``warning`` is worth a line in any run."""

    what: str
    told: str
    warning: bool = False


async def preflight(context: RunContext, policy: AnyPolicy, out: Path, stages: Sequence[str]) -> AsyncIterator[Found]:
    """Look at tasks, data, folders, context and critic of a run; a check that fails raises what tells the user why.

    Raises :class:`~agentr_core.errors.UsageError` for what cannot be, and the errors of the plugins themselves.
    """
    checks: list[Callable[[], Iterator[Found]]] = [
        lambda: _tasks(context, stages),
        lambda: _general(context, stages),
        lambda: _folder(out, stages),
        lambda: _room(context, policy),
        lambda: _trainer(context, policy, stages),
    ]
    for check in checks:
        for found in check():
            yield found
    if "revise" in stages:
        async for found in _critic(context, policy):
            yield found


def _tasks(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    """Both splits exist and have tasks; fewer than were asked for are said."""
    config = context.config
    if "search" in stages:
        yield _counted(
            "search.tasks",
            config.search.split,
            len(training_tasks(context.environment, config, 1)),
            config.search.tasks,
        )
    if "evaluate" in stages:
        there = len(evaluation_tasks(context.environment, config))
        yield _counted("evaluate.tasks", config.evaluate.split, there, config.evaluate.tasks)


def _counted(setting: str, split: str, there: int, wanted: int) -> Found:
    if there >= wanted:
        return Found(setting, f"{there:,} tasks of the split '{split}'")
    return Found(
        setting, f"{wanted:,} were asked for and the split '{split}' has {there:,}: all are taken", warning=True
    )


def _general(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    mixed = "train" in stages and context.config.data.eta < 1.0
    read = check_general(context.config.data) if mixed else None
    if read is not None:
        skipped = sum(read.skipped.values())
        told = f"{len(read.conversations):,} general conversations, {skipped:,} that cannot be used"
        yield Found("data.general", told, warning=skipped > 0)


def _folder(out: Path, stages: Sequence[str]) -> Iterator[Found]:
    """The folder of the checkpoints can be written to."""
    if "train" not in stages:
        return
    place = next(folder for folder in (out, *out.parents) if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"--out: '{out}' cannot be written ({reason}); name another folder for checkpoints") from None
    yield Found("--out", f"{out} can be written")


def _room(context: RunContext, policy: AnyPolicy) -> Iterator[Found]:
    """The head of a conversation and a turn fit the model's context."""
    if policy.context_length is None:
        return
    start, turn = _head(context), context.config.evaluate.max_tokens
    tokens = policy.count_tokens(start)
    if tokens + turn > policy.context_length:
        raise UsageError(
            f"the instructions and the first observation of a task take {tokens:,} tokens and a turn {turn:,} "
            f"(evaluate.max_tokens), but '{policy.model}' has room for {policy.context_length:,}: "
            "take a model with a longer context, or give turns fewer tokens"
        )
    yield Found("context", f"{tokens:,} tokens of instructions and task of {policy.context_length:,}")


def _trainer(context: RunContext, policy: AnyPolicy, stages: Sequence[str]) -> Iterator[Found]:
    """What the trainer makes of the model's chat template; it refuses here what it would refuse after the search."""
    if "train" not in stages or policy.weights is None:
        return
    chosen = context.config.trainer
    trainer = context.registry.create("trainer", chosen.name, chosen.options)
    start = Checkpoint(model=policy.weights, base_model=policy.weights, template_options=policy.template_options)
    told = trainer.check(start, context.environment.instructions(_a_task(context)))
    if told is not None:
        yield Found("chat template", told)


def _a_task(context: RunContext) -> Task:
    environment = context.environment
    return environment.tasks(context.config.search.split)[0]


def _head(context: RunContext) -> tuple[Message, ...]:
    task = _a_task(context)
    return head(context.environment, task, task.instruction)


async def _critic(context: RunContext, policy: AnyPolicy) -> AsyncIterator[Found]:
    """A critic that asks a model gets an answer that it can read; a judge that is away is no reason not to begin."""
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
    task, action = _a_task(context), context.config.revise.revision_action
    async with context.episodes.lend() as environment:
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
            make_environment=context.make_environment,
        )
        verdicts = await critic.verdicts(episode.trajectory(), [1], critique)
    return critique, verdicts[0] if verdicts else None


def _readable(context: RunContext, verdict: Verdict) -> Found:
    name = context.config.critic.name
    if verdict.readable:
        return Found("critic", f"'{name}' was asked once and answered '{verdict.label}'")
    answer = " ".join(verdict.rationale.split())[:80]
    return Found(
        "critic", f"the first answer to '{name}' holds no verdict ({answer!r}): see its max_tokens", warning=True
    )
