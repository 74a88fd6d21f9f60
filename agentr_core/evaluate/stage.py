"""Evaluation on held-out tasks, and the revision test of Agent-R (section 4.4, table 3).

Every model plays the same tasks with the same seeds. The revision test continues the baseline's failed trajectories
from a cut drawn at random, the same cut for every model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from agentr_core.account import describe
from agentr_core.errors import AgentrError, NothingToDo
from agentr_core.evaluate.episodes import EpisodeItem, Episodes
from agentr_core.evaluate.metrics import interval, loop_profile, pass_at, summarize, summarize_worlds
from agentr_core.hashing import content_hash
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.play.in_flight import Finished, not_now, run_with_second_try
from agentr_core.play.worlds import World, side_by_side
from agentr_core.records import Step, Task
from agentr_core.registry.events import Evaluated
from agentr_core.run_context import RunContext, StageResult
from agentr_core.seeds import derive_rng
from agentr_core.settings.run_config import RunConfig
from agentr_core.store.rows import EvalKind, EvalResult, EvalRow
from agentr_core.turns import Message
from agentr_core.workers.messages import Job


async def evaluate_policy(context: RunContext, policy: AnyPolicy, iteration: int) -> StageResult:
    """Play the evaluation tasks with ``policy``, each ``evaluate.repeats`` times; the metrics are those of the closing
    table."""
    config = context.config
    tasks = [task for world in context.worlds.values() for task in evaluation_tasks(world, config)]
    tasks = side_by_side(tasks)
    ids = context.task_ids(tasks)
    items = [
        EpisodeItem(task, number, repeat)
        for task, number in zip(tasks, ids, strict=True)
        for repeat in range(config.evaluate.repeats)
    ]
    plain, metrics, account = await _play(context, policy, iteration, "plain", items)
    if config.evaluate.revision_test and not _would_repeat_itself(context, policy):
        failed = _failed_starts(context)
        if failed:
            _, revised, _ = await _play(context, policy, iteration, "revision_test", failed)
            metrics = {**metrics, "revision_test": revised["success"], "revision_tasks": revised["tasks"]}
    context.registry.notify(Evaluated(context.run.key, iteration, _splits(config), metrics))
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
    context: RunContext, policy: AnyPolicy, iteration: int, kind: EvalKind, items: Sequence[EpisodeItem]
) -> tuple[int, dict[str, float], dict[str, int]]:
    """Play ``items``, store one row each; the evaluation's id, what the rows say together, and the account of them."""
    row = _open(context, policy, iteration, kind)
    stored = context.store.evaluations.results(row.id)
    done = {(result.task_id, result.repeat) for result in stored if result.error is None}
    repeats = context.config.evaluate.repeats if kind == "plain" else 1
    admission, crew = context.admission(policy), context.crew
    todo = [item for item in items if (item.task_id, item.repeat) not in done]
    label = f"{_when(iteration)} {'evaluate' if kind == 'plain' else 'revise test'}"
    unit = "tasks" if len({item.task_id for item in items}) == len(items) else "episodes"
    with context.progress.stage(label, len(items), unit) as bar:
        bar.resume(len(done))
        away = list[Finished[EpisodeItem, bool]]()
        episodes = Episodes(context, policy, kind, row.id, admission, bar.partly)

        async def play(item: EpisodeItem) -> bool:
            if crew is None:
                return await episodes.play(item)
            return bool(await crew.do(lambda: Job("play", (kind, row.id, item)), context.told))

        async for finished in run_with_second_try(todo, play, admission, context.stopped):
            item = finished.item
            if finished.error is not None:
                away += [finished] if finished.passing else []
                name = context.worlds.name_of(item.task.env, item.task.key)
                context.progress.say(f"warning: task {name} failed: {finished.error}")
                _save_failed(context, row.id, finished)
            elif finished.attempts > 1 and finished.result:
                context.store.evaluations.count_attempt(row.id, item.task_id, item.repeat)
            if finished.error is not None or finished.result:
                bar.advance(key=item.session(kind))
        context.stop_here()
        results = context.store.evaluations.results(row.id)
        played = [result for result in results if result.error is None]
        if away or {row.env for row in results} != {row.env for row in played}:
            raise _not_played(context, label, f"{len(items)} {unit}", len(items) - len(played), away, results)
        metrics = _summary(context, results, repeats)
        metrics |= _loop_metrics(context, results) if kind == "plain" else {}
        account = _account(results)
        bar.advance(0, " · ".join(filter(None, (f"success {interval(metrics)}", pass_at(metrics), describe(account)))))
    context.store.evaluations.finish(row.id, metrics)
    return row.id, metrics, account


def _splits(config: RunConfig) -> str:
    """The split that is measured on; of environments that do not share one, theirs in the run's order: ``test,dev``."""
    return ",".join(dict.fromkeys(config.evaluate_of(name).split for name in config.environments))


def _summary(context: RunContext, results: Sequence[EvalResult], repeats: int) -> dict[str, float]:
    """What the rows say together; of several environments each by itself as well."""
    if len(context.worlds) == 1:
        return summarize(results, repeats)
    by_world = {name: [result for result in results if result.env == name] for name in context.worlds}
    return summarize_worlds(by_world, repeats)


def _account(results: Sequence[EvalResult]) -> dict[str, int]:
    return {
        "tried": len(results),
        "ends": len(results),
        "failed": sum(result.error is not None for result in results),
        "retried": sum(result.attempts > 0 for result in results if result.error is None),
        "turns": sum(result.steps for result in results),
        "refused": sum(result.invalid for result in results),
        "cut_off": sum(result.cut_off for result in results),
        "context_full": sum(result.context_full for result in results),
        "shown_in_part": sum(result.shown_in_part for result in results),
    }


def _not_played(
    context: RunContext,
    label: str,
    of: str,
    left: int,
    away: Sequence[Finished[EpisodeItem, bool]],
    results: Sequence[EvalResult],
) -> AgentrError:
    if away:
        only = context.worlds.all_of(finished.item.task.env for finished in away)
        return not_now(f"{label}: {left} of {of} are not played{only}", away, context.advice)
    played = {row.env for row in results if row.error is None}
    first = next(row for row in results if row.env not in played)
    which = f" of '{first.env}'" if played else ""
    return AgentrError(f"{label}: no task{which} could be played; the first: {first.error}")


def _loop_metrics(context: RunContext, results: Sequence[EvalResult]) -> dict[str, float]:
    """``repeats_1`` to ``repeats_4``: the points of Agent-R's figure 4 for the whole trajectories of an evaluation."""
    conversations = [context.store.conversations.get(row.conversation) for row in results if row.conversation]
    turns = [[turn.content for turn in messages if turn.role == "assistant"] for messages in conversations]
    parsers = [context.worlds[row.env].environment.parse for row in results if row.conversation]
    actions = [[parse(turn).action or turn for turn in one] for parse, one in zip(parsers, turns, strict=True)]
    return {f"repeats_{length}": value for length, value in loop_profile(actions).items()} if actions else {}


def _identity(context: RunContext) -> dict[str, Any]:
    """What evaluations must share to be compared; who acts is what they differ in."""
    settings = context.config.evaluate.model_dump(mode="json")
    if settings["repeats"] == 1:
        del settings["repeats"]  # it is what evaluations were before there were any, and they still count
    return {
        **settings,
        "env": context.config.model_dump(mode="json")["env"],
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
        split=_splits(context.config),
        config=config,
        config_hash=content_hash(config),
    )


def _save_failed(context: RunContext, eval_id: int, finished: Finished[EpisodeItem, bool]) -> None:
    item, attempts = finished.item, finished.attempts - 1
    failed = EvalResult(task_id=item.task_id, repeat=item.repeat, error=str(finished.error), attempts=attempts)
    context.store.evaluations.save_result(eval_id, failed)


def _baselines(context: RunContext) -> list[EvalRow]:
    """Evaluations of the first model with the same settings; the first of them is the baseline."""
    same = _identity(context).items()
    rows = context.store.evaluations.select(context.run.id, iteration=0, kind="plain")
    return [row for row in rows if same <= row.config.items()]


def _failed_starts(context: RunContext) -> list[EpisodeItem]:
    """Trajectories of the baseline with reward 0, each cut after a step drawn at random."""
    store = context.store
    baseline, items = _baselines(context), list[EpisodeItem]()
    for result in store.evaluations.results(baseline[0].id) if baseline else ():
        if result.error is not None or result.reward > 0 or result.conversation is None:
            continue
        steps = _recorded_steps(store.conversations.get(result.conversation))
        item = EpisodeItem(store.tasks.get(result.task_id).task(), result.task_id, result.repeat)
        cut = derive_rng(context.config.seed, "revision test", *item.names).randint(1, max(1, len(steps) - 1))
        items.append(replace(item, given=steps[:cut]))
    by_world = {name: [item for item in items if item.task.env == name] for name in context.worlds}
    return [item for name, own in by_world.items() for item in _at_most(context.config, name, own)]


def _at_most(config: RunConfig, environment: str, items: list[EpisodeItem]) -> list[EpisodeItem]:
    most = config.evaluate_of(environment).revision_tasks
    if len(items) <= most:
        return items
    chosen = sorted(derive_rng(config.seed, "revision tasks").sample(range(len(items)), most))
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


def evaluation_tasks(world: World, config: RunConfig) -> list[Task]:
    """The tasks of one environment that every model is measured on: the same for all seeds and iterations."""
    settings = config.evaluate_of(world.name)
    tasks = world.tasks(settings.split)
    if not tasks:
        raise NothingToDo(f"the split '{settings.split}' of '{world.name}' has no tasks; choose another evaluate.split")
    if len(tasks) <= settings.tasks:
        return tasks
    chosen = set(derive_rng(0, "evaluate", settings.split).sample(range(len(tasks)), settings.tasks))
    return [task for index, task in enumerate(tasks) if index in chosen]
