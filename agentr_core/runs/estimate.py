"""What a run may come to at the most, reckoned before it begins; hours where this model's pace has been measured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentr_core.evaluate.stage import evaluation_tasks
from agentr_core.hashing import content_hash
from agentr_core.interfaces.first_error import StepwiseCritic
from agentr_core.interfaces.trainer import AnyTrainer
from agentr_core.play.worlds import World
from agentr_core.process.progress import clock
from agentr_core.run_context import RunContext
from agentr_core.runs.preflight import Actor
from agentr_core.runs.revising import unread
from agentr_core.search.stage import training_tasks
from agentr_core.store import Pace, Store


@dataclass(frozen=True, slots=True)
class Estimate:
    """Counts of a whole run, each at the most; None for what is not known.

    ``prompt_tokens`` and ``completion_tokens`` are those of search, evaluation and verdicts together; ``prompt_tokens``
    counts full contexts and nothing as cached. ``conversations`` and ``steps`` are those of one training. Seconds are
    those of all searches or evaluations at the pace that was measured. ``dollars_of_completions`` leaves prompts out.
    """

    iterations: int
    trees: int
    simulations: int
    completions_at_most: int
    evaluation_episodes: int
    evaluation_turns_at_most: int
    verdicts_at_most: int
    completion_tokens: int
    prompt_tokens: int | None
    conversations: int | None
    steps: int | None
    dollars: float | None
    dollars_of_completions: float | None
    search_seconds: float | None
    evaluation_seconds: float | None


def estimate(context: RunContext, policy: Actor, stages: Sequence[str], store: Store | None) -> Estimate:
    """What a run comes to; ``store`` is that of the project, which may have measured this model, where there is one."""
    config, searcher = context.config, context.make_searcher()
    options = config.searcher.options
    samples, depth = int(options.get("samples", 1)), max(1, int(options.get("depth", 0)))
    worlds = context.worlds.values()
    tasks = sum(len(training_tasks(world, config, 1)) for world in worlds) if "search" in stages else 0
    trees = config.iterations * tasks
    requests = trees * searcher.simulations * depth
    measured = (config.iterations + 1 if "search" in stages else 1) if "evaluate" in stages else 0
    played = [_played(context, world) for world in worlds] if measured else []
    revised = trees * (config.iterations - len(unread(config, context.registry, stages))) // config.iterations
    verdicts, answers, of_answer = _verdicts(context, revised, searcher.simulations * depth * samples, depth)
    turns = measured * sum(each.turns for each in played)
    asked = requests + turns + verdicts * answers
    completions = requests * samples * int(options.get("max_tokens", 0))
    completions += measured * sum(each.tokens for each in played) + verdicts * answers * of_answer
    prompts = None if policy.context_length is None else asked * policy.context_length
    conversations = _conversations(context, tasks, searcher.simulations * depth * samples)
    plain = sum(each.plain for each in played)
    search, evaluation = _seconds(context, policy, store, trees, measured * plain)
    return Estimate(
        iterations=config.iterations,
        trees=trees,
        simulations=searcher.simulations,
        completions_at_most=requests * samples,
        evaluation_episodes=measured * sum(each.plain + each.tests for each in played),
        evaluation_turns_at_most=turns,
        verdicts_at_most=verdicts,
        completion_tokens=completions,
        prompt_tokens=prompts,
        conversations=conversations if "train" in stages else 0,
        steps=_steps(context, conversations) if "train" in stages and conversations else None,
        dollars=None if prompts is None else policy.price(prompts, completions),
        dollars_of_completions=policy.price(0, completions),
        search_seconds=search,
        evaluation_seconds=evaluation,
    )


@dataclass(frozen=True, slots=True)
class _Played:
    """What measuring one model plays in one environment: episodes, those of the revision test, turns, tokens."""

    plain: int
    tests: int
    turns: int
    tokens: int


def _played(context: RunContext, world: World) -> _Played:
    settings = context.config.evaluate_of(world.name)
    plain = len(evaluation_tasks(world, context.config)) * settings.repeats
    tests = min(plain, settings.revision_tasks) if settings.revision_test else 0
    turns = plain * settings.max_turns + tests * settings.revision_turns
    return _Played(plain, tests, turns, turns * settings.max_tokens)


def _verdicts(context: RunContext, trees: int, nodes: int, depth: int) -> tuple[int, int, int]:
    """Verdicts on steps at the most, the answers that each takes, and the tokens of an answer.

    None of a critic that labels no steps or asks nobody; one that plays takes ``rollouts`` of ``depth`` turns.
    """
    chosen = context.config.critic
    if not isinstance(context.make_critic(), StepwiseCritic):
        return 0, 0, 0
    pairs = context.config.revise.max_pairs_per_tree
    votes, tokens = int(chosen.options.get("votes", 1)), int(chosen.options.get("max_tokens", 0))
    played = int(chosen.options.get("rollouts", 0)) * int(chosen.options.get("depth") or depth)
    return trees * min(nodes, pairs * depth) * votes, (played or 1) if tokens else 0, tokens


def _conversations(context: RunContext, tasks: int, nodes: int) -> int | None:
    """Training conversations of one iteration: what the caps leave of each tree, and general ones.

    None where the caps are so wide that they bound nothing: a tree has so many ``nodes``.
    """
    data = context.config.data
    if max(data.max_good_per_tree, data.max_revisions_per_tree) > nodes:
        return None
    revisions = min(data.max_revisions_per_tree, context.config.revise.max_pairs_per_tree)
    return round(tasks * (data.max_good_per_tree + revisions) / data.eta)


def _steps(context: RunContext, conversations: int) -> int | None:
    chosen = context.config.trainer
    trainer: AnyTrainer = context.registry.create("trainer", chosen.name, chosen.options)
    return trainer.steps(conversations, 1)


def _seconds(
    context: RunContext, policy: Actor, store: Store | None, trees: int, episodes: int
) -> tuple[float | None, float | None]:
    """Seconds of all searches and evaluations at the fastest pace that is stored of this model doing the same."""
    if store is None:
        return None, None
    config, model = context.config, store.checkpoints.kept_model(policy.model)
    if len(config.env) > 1:
        return None, None  # the pace of a mixture is not that of any one
    env, settings = config.model_dump(mode="json")["env"], config.evaluate.model_dump(mode="json")
    searched = store.runs.search_pace(model, env["name"], content_hash(config.searcher.model_dump(mode="json")))
    played = store.runs.evaluation_pace(model, settings, env)

    def at(pace: Pace | None, count: int) -> float | None:
        return None if pace is None or not count else count * pace.seconds / pace.items

    return at(searched, trees), at(played, episodes)


def told(found: Estimate) -> Iterator[str]:
    """An estimate in lines; what is not known is left out."""
    yield (
        f"at most {found.completions_at_most:,} completions in {found.trees:,} trees, "
        f"{found.evaluation_turns_at_most:,} turns in {found.evaluation_episodes:,} evaluation episodes, "
        f"{found.verdicts_at_most:,} verdicts on steps"
    )
    if found.completion_tokens:
        prompts = "" if found.prompt_tokens is None else f" and {found.prompt_tokens:,} of prompts (if all were full)"
        yield f"at most {found.completion_tokens:,} generated tokens{prompts}; repairs of splices come on top"
    if found.conversations:
        steps = "" if found.steps is None else f", {found.steps:,} steps"
        yield f"at most {found.conversations:,} training conversations{steps} in an iteration (the first)"
    if found.dollars is not None:
        yield f"at most ${found.dollars:,.2f}, nothing being cached"
    elif found.dollars_of_completions is not None:
        yield (
            f"at most ${found.dollars_of_completions:,.2f} for what is generated; prompts cost more, and are bounded "
            "where the policy's context_length is set"
        )
    paces = [("searching", found.search_seconds), ("measuring", found.evaluation_seconds)]
    times = [f"{clock(seconds)} of {what}" for what, seconds in paces if seconds is not None]
    if times:
        yield f"about {' and '.join(times)}, at the pace of this model so far"
