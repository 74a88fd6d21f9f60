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
from agentr_core.evaluate.metrics import interval, loop_count, loop_profile, pass_at, summarize
from agentr_core.hashing import content_hash
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.admission import Admission
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
    repeat: int = 0
    given: tuple[Step, ...] = ()

    @property
    def names(self) -> tuple[str | int, ...]:
        """What seeds and sessions are derived from; the first repeat is what a task that is played once is."""
        return (self.task.key, self.repeat) if self.repeat else (self.task.key,)

    def session(self, kind: EvalKind) -> str:
        """What the episode is called to the policy."""
        return "-".join(map(str, (kind, *self.names)))


async def evaluate_policy(context: RunContext, policy: AnyPolicy, iteration: int) -> StageResult:
    """Play the evaluation tasks with ``policy``, each ``evaluate.repeats`` times; the metrics are those of the closing
    table."""
    tasks, config = evaluation_tasks(context.environment, context.config), context.config
    ids = context.task_ids(tasks)
    items = [_Item(task, ids[task.key], repeat) for task in tasks for repeat in range(config.evaluate.repeats)]
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
    stored = context.store.evaluations.results(row.id)
    done = {(result.task_id, result.repeat) for result in stored if result.error is None}
    repeats = context.config.evaluate.repeats if kind == "plain" else 1
    admission, revision_action = Admission(context.config.concurrency, policy), context.config.revise.revision_action
    params = evaluation_params(context.config)

    async def play(item: _Item) -> EvalResult | None:
        seed, session = derive_seed(context.config.seed, "evaluate", kind, *item.names), item.session(kind)
        try:
            async with context.episodes.lend() as environment:
                rollout = await player.rollout(environment, item.task, seed=seed, session=session, given=item.given)
        finally:
            admission.end(session)
        return None if context.stopped() else _result(item, rollout)

    todo = [item for item in items if (item.task_id, item.repeat) not in done]
    label = f"{_when(iteration)} {'evaluate' if kind == 'plain' else 'revise test'}"
    unit = "tasks" if len({item.task_id for item in items}) == len(items) else "episodes"
    with context.progress.stage(label, len(items), unit) as bar:
        bar.resume(len(done))

        def turned(session: str, turns: int) -> None:
            bar.partly(session, turns / max_turns)

        player = Player(policy, params, max_turns, revision_action, context.stopped, admission, turned)
        away = list[Finished[_Item, EvalResult | None]]()
        async for finished in run_with_second_try(todo, play, admission, context.stopped):
            if finished.error is not None:
                away += [finished] if finished.passing else []
                context.progress.say(f"warning: task {finished.item.task.key} failed: {finished.error}")
            result = finished.result or _failed(finished.item, finished.error)
            result = replace(result, attempts=finished.attempts - 1)
            if finished.error is not None or finished.result is not None:
                context.store.evaluations.save_result(row.id, result)
                bar.advance(key=finished.item.session(kind))
        context.stop_here()
        results = context.store.evaluations.results(row.id)
        played = [result for result in results if result.error is None]
        if away or not played:
            raise _not_played(label, f"{len(items)} {unit}", len(items) - len(played), away, results, context.advice)
        metrics = summarize(results, repeats) | (_loop_metrics(context, results) if kind == "plain" else {})
        account = _account(results)
        bar.advance(0, " · ".join(filter(None, (f"success {interval(metrics)}", pass_at(metrics), describe(account)))))
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
    }


def _not_played(
    label: str,
    of: str,
    left: int,
    away: Sequence[Finished[_Item, EvalResult | None]],
    results: Sequence[EvalResult],
    advice: str,
) -> AgentrError:
    if away:
        return not_now(f"{label}: {left} of {of} are not played", away, advice)
    return AgentrError(f"{label}: no task could be played; the first: {results[0].error}")


def _loop_metrics(context: RunContext, results: Sequence[EvalResult]) -> dict[str, float]:
    """``repeats_1`` to ``repeats_4``: the points of Agent-R's figure 4 for the whole trajectories of an evaluation."""
    conversations = [context.store.conversations.get(row.conversation) for row in results if row.conversation]
    turns = [[turn.content for turn in messages if turn.role == "assistant"] for messages in conversations]
    actions = [[context.environment.parse(turn).action or turn for turn in one] for one in turns]
    return {f"repeats_{length}": value for length, value in loop_profile(actions).items()} if actions else {}


def _identity(context: RunContext) -> dict[str, Any]:
    """What evaluations must share to be compared; who acts is what they differ in."""
    settings = context.config.evaluate.model_dump(mode="json")
    if settings["repeats"] == 1:
        del settings["repeats"]  # it is what evaluations were before there were any, and they still count
    return {
        **settings,
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


def _failed(item: _Item, error: Exception | None) -> EvalResult:
    return EvalResult(task_id=item.task_id, repeat=item.repeat, error=str(error))


def _result(item: _Item, rollout: Rollout) -> EvalResult:
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
        steps = _recorded_steps(store.conversations.get(result.conversation))
        item = _Item(store.tasks.get(result.task_id).task(), result.task_id, result.repeat)
        cut = derive_rng(context.config.seed, "revision test", *item.names).randint(1, max(1, len(steps) - 1))
        items.append(replace(item, given=steps[:cut]))
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
