"""Evaluation on held-out tasks, and the revision test of Agent-R (section 4.4, table 3).

Every model plays the same tasks with the same seeds. The revision test continues the baseline's failed trajectories
from a cut drawn at random, the same cut for every model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from agentr_core.account import describe
from agentr_core.errors import AgentrError, NothingToDo
from agentr_core.evaluate.metrics import loop_count, loop_profile, summarize
from agentr_core.hashing import content_hash
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.episode import Player, Rollout
from agentr_core.play.in_flight import Finished, not_now, run_with_second_try
from agentr_core.play.offered_tasks import offered_tasks
from agentr_core.records import Message, SamplingParams, Step, Task
from agentr_core.registry.events import Evaluated
from agentr_core.run_context import RunContext, StageResult
from agentr_core.seeds import derive_rng, derive_seed
from agentr_core.settings.run_config import RunConfig
from agentr_core.store.rows import EvalKind, EvalResult, EvalRow


@dataclass(frozen=True, slots=True)
class _Item:
    """One episode to play: ``given`` steps come from the record, the rest from the policy."""

    task: Task
    task_id: int
    given: tuple[Step, ...] = ()


async def evaluate_policy(context: RunContext, policy: AnyPolicy, iteration: int) -> StageResult:
    """Play the evaluation tasks with ``policy``; the metrics are those of the closing table."""
    tasks = evaluation_tasks(context.environment, context.config)
    ids = context.task_ids(tasks)
    items = [_Item(task, ids[task.key]) for task in tasks]
    config = context.config
    plain, metrics, account = await _play(context, policy, iteration, "plain", items, config.evaluate.max_turns)
    if config.evaluate.revision_test and not _would_repeat_itself(context, policy):
        failed = _failed_starts(context)
        if failed:
            _, revised, _ = await _play(
                context, policy, iteration, "revision_test", failed, config.evaluate.revision_turns
            )
            metrics = {**metrics, "revision_test": revised["success"], "revision_tasks": revised["tasks"]}
    context.registry.notify(Evaluated(context.run.key, iteration, config.evaluate.split, metrics))
    return StageResult(metrics, plain, account)


def _would_repeat_itself(context: RunContext, policy: AnyPolicy) -> bool:
    """True for the greedy model whose own failed attempts the revision test continues.

    From any of its own prefixes it goes on word for word as it did: a revision test of 0% by construction, and no
    baseline for anything.
    """
    greedy = context.config.evaluate.temperature == 0
    acting = context.model_of(policy)
    return greedy and any(row.model == acting for row in _baselines(context))


async def _play(
    context: RunContext, policy: AnyPolicy, iteration: int, kind: EvalKind, items: Sequence[_Item], max_turns: int
) -> tuple[int, dict[str, float], dict[str, int]]:
    """Play ``items``, store one row each; the evaluation's id, what the rows say together, and the account of them."""
    row = _open(context, policy, iteration, kind)
    done = {result.task_id for result in context.store.evaluations.results(row.id) if result.error is None}
    player = Player(
        policy, evaluation_params(context.config), max_turns, context.config.revise.revision_action, context.stopped
    )

    async def play(item: _Item) -> EvalResult | None:
        seed = derive_seed(context.config.seed, "evaluate", kind, item.task.key)
        async with context.episodes.lend() as environment:
            rollout = await player.rollout(
                environment, item.task, seed=seed, session=f"{kind}-{item.task.key}", given=item.given
            )
        return None if context.stopped() else _result(item, rollout)

    todo = [item for item in items if item.task_id not in done]
    label = f"{_when(iteration)} {'evaluate' if kind == 'plain' else 'revise test'}"
    with context.progress.stage(label, len(items), "tasks") as bar:
        bar.advance(len(done))
        away = list[Finished[_Item, EvalResult | None]]()
        async for finished in run_with_second_try(todo, play, context.config.concurrency, context.stopped):
            if finished.error is not None:
                away += [finished] if finished.passing else []
                context.progress.say(f"warning: task {finished.item.task.key} failed: {finished.error}")
            result = finished.result or EvalResult(task_id=finished.item.task_id, error=str(finished.error))
            result = replace(result, attempts=finished.attempts - 1)
            if finished.error is not None or finished.result is not None:
                context.store.evaluations.save_result(row.id, result)
                bar.advance()
        context.stop_here()
        results = context.store.evaluations.results(row.id)
        played = [result for result in results if result.error is None]
        if away or not played:
            raise _not_played(label, len(items), played, away, results, context.advice)
        metrics = summarize(results) | (_loop_metrics(context, results) if kind == "plain" else {})
        low, high = 100 * metrics["success_low"], 100 * metrics["success_high"]
        account = _account(results)
        told = describe(account)
        bar.advance(
            0, f"success {100 * metrics['success']:.1f}% ({low:.1f}-{high:.1f})" + (f" · {told}" if told else "")
        )
    context.store.evaluations.finish(row.id, metrics)
    return row.id, metrics, account


def _account(results: Sequence[EvalResult]) -> dict[str, int]:
    return {
        "tried": len(results),
        "ends": len(results),
        "failed": sum(result.error is not None for result in results),
        "retried": sum(result.attempts for result in results if result.error is None),
        "turns": sum(result.steps for result in results),
        "refused": sum(result.invalid for result in results),
        "cut_off": sum(result.cut_off for result in results),
        "context_full": sum(result.context_full for result in results),
        "shown_in_part": sum(result.shown_in_part for result in results),
    }


def _not_played(
    label: str,
    all_: int,
    played: Sequence[EvalResult],
    away: Sequence[Finished[_Item, EvalResult | None]],
    results: Sequence[EvalResult],
    advice: str,
) -> AgentrError:
    if away:
        return not_now(f"{label}: {all_ - len(played)} of {all_} tasks are not played", away, advice)
    return AgentrError(f"{label}: no task could be played; the first: {results[0].error}")


def _loop_metrics(context: RunContext, results: Sequence[EvalResult]) -> dict[str, float]:
    """``repeats_1`` to ``repeats_4``: the points of Agent-R's figure 4 for the whole trajectories of an evaluation."""
    conversations = [context.store.conversations.get(row.conversation) for row in results if row.conversation]
    turns = [[turn.content for turn in messages if turn.role == "assistant"] for messages in conversations]
    actions = [[context.environment.parse(turn).action or turn for turn in one] for one in turns]
    return {f"repeats_{length}": value for length, value in loop_profile(actions).items()} if actions else {}


def _identity(context: RunContext) -> dict[str, Any]:
    """What evaluations must share to be compared; who acts is what they differ in."""
    return {
        **context.config.evaluate.model_dump(mode="json"),
        "env": context.config.env.model_dump(mode="json"),
        "revision_action": context.config.revise.revision_action,
        "seed": context.config.seed,
    }


def _open(context: RunContext, policy: AnyPolicy, iteration: int, kind: EvalKind) -> EvalRow:
    config = {**_identity(context), **context.acting(policy)}
    return context.store.evaluations.open(
        context.run.id,
        iteration,
        kind,
        model=context.model_of(policy),
        split=context.config.evaluate.split,
        config=config,
        config_hash=content_hash(config),
    )


def _result(item: _Item, rollout: Rollout) -> EvalResult:
    own = rollout.trajectory.steps[rollout.prefix :]
    return EvalResult(
        task_id=item.task_id,
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


def _baselines(context: RunContext) -> list[EvalRow]:
    """Evaluations of the first model with the same settings; the first of them is the baseline."""
    same = _identity(context).items()
    rows = context.store.evaluations.select(context.run.id, iteration=0, kind="plain")
    return [row for row in rows if same <= row.config.items()]


def _failed_starts(context: RunContext) -> list[_Item]:
    """Trajectories of the baseline with reward 0, each cut after a step drawn at random."""
    store = context.store
    baseline, items = _baselines(context), list[_Item]()
    for result in store.evaluations.results(baseline[0].id) if baseline else ():
        if result.error is not None or result.reward > 0 or result.conversation is None:
            continue
        task = store.tasks.get(result.task_id).task()
        steps = _recorded_steps(store.conversations.get(result.conversation))
        cut = derive_rng(context.config.seed, "revision test", task.key).randint(1, max(1, len(steps) - 1))
        items.append(_Item(task, result.task_id, steps[:cut]))
    most = context.config.evaluate.revision_tasks
    if len(items) <= most:
        return items
    chosen = sorted(derive_rng(context.config.seed, "revision tasks").sample(range(len(items)), most))
    return [items[index] for index in chosen]


def _recorded_steps(messages: Sequence[Message], head_turns: int = 2) -> tuple[Step, ...]:
    """The steps of a stored conversation, as far as replaying them needs."""
    turns = messages[head_turns:]
    return tuple(
        Step(response=turns[i].content, action=None, observation=turns[i + 1].content)
        for i in range(0, len(turns) - 1, 2)
    )


def _when(iteration: int) -> str:
    return f"iter {iteration}" if iteration else "baseline"


def evaluation_tasks(environment: AnyEnvironment, config: RunConfig) -> list[Task]:
    """The tasks every model is measured on: the same for all seeds and iterations."""
    tasks = offered_tasks(environment, config.evaluate.split)
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
