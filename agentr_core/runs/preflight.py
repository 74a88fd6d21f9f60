"""Before a token is paid for: what can be known at the start fails at the start, in one sentence.

``agentr run`` looks at all of it before the first stage, ``agentr doctor --model M --env E`` does so alone, and
``agentr run --dry-run`` at what costs neither a token nor the loading of a model.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentr_core.errors import EnvironmentFailure, UsageError, boundary
from agentr_core.evaluate.stage import evaluation_tasks
from agentr_core.interfaces.policy import AnyPolicy, PolicyPreview
from agentr_core.interfaces.trainer import AnyTrainer, MemoryNeed
from agentr_core.play.worlds import World
from agentr_core.process.closing import closing
from agentr_core.prompts.conversation import head
from agentr_core.records import Checkpoint, Task
from agentr_core.run_context import RunContext
from agentr_core.runs.revising import unread, why_unread
from agentr_core.search.stage import training_tasks
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.settings.run_config import ChosenPlugin, RunConfig
from agentr_core.store import Store
from agentr_core.train.dataset_recipes import check_general
from agentr_core.train.stage import check_demonstrations
from agentr_core.train.tree_sets import sampling_of
from agentr_core.turns import Message


@dataclass(frozen=True, slots=True)
class Found:
    """What a check has found: ``what`` was looked at, and what was seen; a ``warning`` is worth a line in any run."""

    what: str
    told: str
    warning: bool = False


#: What acts, or what is known of it before it is made.
Actor = AnyPolicy | PolicyPreview
#: A share of the free memory from which on a training is likely not to fit.
NEAR = 0.9


async def free_checks(
    context: RunContext, policy: Actor, out: Path, stages: Sequence[str], store: Store | None = None
) -> AsyncIterator[Found]:
    """Look at tasks, data, folders, context, plugins and memory of a run, without a token or a model.

    ``store`` is the project's, where the context has another. Raises
    :class:`~agentr_core.errors.UsageError` for what cannot be, and the errors of the plugins themselves.
    """
    checks: list[Callable[[], Iterator[Found]]] = [
        lambda: _worlds(context),
        lambda: _tasks(context, stages),
        lambda: _mixture(context, stages),
        lambda: _general(context, stages),
        lambda: _demonstrations(context, stages, store),
        lambda: _folder(out, stages),
        lambda: _room(context, policy),
        lambda: _engines(policy),
        lambda: _idle_trainers(context, stages),
        lambda: _foreign_trees(context, stages),
        lambda: _trainer(context, policy, stages),
        lambda: _unrevised(context, stages),
    ]
    if "search" in stages:
        context.make_searcher().check()
    if "revise" in stages:
        critic = context.make_critic()  # a class that cannot be made says so
        try:
            critic.check()
        finally:
            with closing(critic):
                await critic.close()
    for check in checks:
        for found in check():
            yield found


def _worlds(context: RunContext) -> Iterator[Found]:
    """Each environment is made and tells its version: what it lacks (a Java, a server) it says here, as in a run."""
    for name, world in context.worlds.items():
        with boundary(EnvironmentFailure, f"'{name}' could not tell its version"):
            str(world.environment.version)
    yield from ()


def _tasks(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    """Both splits exist and have tasks; fewer than were asked for are said."""
    config = context.config
    for name, world in context.worlds.items():
        before = f"{name}." if len(context.worlds) > 1 else ""
        if "search" in stages:
            settings, there = config.search_of(name), len(training_tasks(world, config, 1))
            in_split = len(world.tasks(settings.split))
            if there < min(settings.tasks, in_split):
                taken = f"{settings.tasks:,} were asked for, and '{settings.sampler}' takes {there:,} of {in_split:,}"
                yield Found(f"{before}search.tasks", taken, warning=True)
            else:
                yield _counted(f"{before}search.tasks", settings.split, there, settings.tasks)
        if "evaluate" in stages:
            measured, there = config.evaluate_of(name), len(evaluation_tasks(world, config))
            yield _counted(f"{before}evaluate.tasks", measured.split, there, measured.tasks)
    if "evaluate" in stages and (told := measured_on_training(config)):
        yield Found("evaluate.split", told, warning=True)


def measured_on_training(config: RunConfig) -> str | None:
    """What to say where a model is measured on the tasks that it is trained on; None where it is not."""
    same = [name for name in config.environments if config.evaluate_of(name).split == config.search_of(name).split]
    if not same:
        return None
    splits = ", ".join(dict.fromkeys(f"'{config.evaluate_of(name).split}'" for name in same))
    of = f" of {', '.join(same)}" if len(config.env) > 1 else ""
    return f"{splits}{of} is the split that is trained on, so this does not measure what was learned"


def _counted(setting: str, split: str, there: int, wanted: int) -> Found:
    if there >= wanted:
        return Found(setting, f"{there:,} tasks of the split '{split}'")
    return Found(
        setting, f"{wanted:,} were asked for and the split '{split}' has {there:,}: all are taken", warning=True
    )


def _mixture(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    """Shares of environments that nothing will come of are said."""
    config = context.config
    shares = {"data.max_share": config.data.max_share < 1.0, "weight": any(config.weights.values())}
    given = [name for name, is_given in shares.items() if is_given]
    if "train" not in stages or not given:
        return
    if len(config.env) == 1:
        yield Found(given[0], "is not used, since the run has one environment", warning=True)


def _general(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    settings = context.config.data
    if "train" not in stages:
        return
    if settings.eta >= 1.0 and settings.general is not None:
        yield Found("data.general", f"'{settings.general}' is not used, since data.eta is 1", warning=True)
        return
    read = check_general(settings)
    if read is not None:
        skipped = sum(read.skipped.values())
        told = f"{len(read.conversations):,} general conversations, {skipped:,} that cannot be used"
        yield Found("data.general", told, warning=skipped > 0)


def _demonstrations(context: RunContext, stages: Sequence[str], store: Store | None) -> Iterator[Found]:
    row = check_demonstrations(context, store) if "train" in stages else None
    if row is not None:
        yield Found("data.demonstrations", f"{row.n_examples:,} conversations of dataset {row.id} '{row.name}'")


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


def _room(context: RunContext, policy: Actor) -> Iterator[Found]:
    """The head of a conversation and a turn fit the model's context."""
    if policy.context_length is None or not _is_here(policy):
        return
    wanted = {
        name: (policy.count_tokens(_head(world, context.config)), context.config.evaluate_of(name).max_tokens)
        for name, world in context.worlds.items()
    }
    most = max(wanted, key=lambda name: sum(wanted[name]))
    tokens, turn = wanted[most]
    if tokens + turn > policy.context_length:
        raise UsageError(
            f"the instructions and the first observation of a task of '{most}' take {tokens:,} tokens and a turn "
            f"{turn:,} (evaluate.max_tokens), but '{policy.model}' has room for {policy.context_length:,}: "
            "take a model with a longer context, or give turns fewer tokens"
        )
    yield Found("context", f"{tokens:,} tokens of instructions and task of {policy.context_length:,}")


def _engines(policy: Actor) -> Iterator[Found]:
    """What the model will run on, where the policy says so."""
    if policy.runs_on is not None:
        yield Found("policy", policy.runs_on)


def _is_here(policy: Actor) -> bool:
    """Whether the model's files can be looked at."""
    return not isinstance(policy, PolicyPreview) or policy.is_here


def trainable(policy: Actor, name: str) -> str:
    """Where the policy's weights can be loaded from; :class:`UsageError` for one that cannot be trained."""
    if policy.weights is None:
        raise UsageError(
            f"the policy '{name}' has no weights to train; choose --policy transformers, name the weights where the "
            "policy takes them (as 'openai' does: -o openai.weights=FOLDER), or train nothing with --trainer none"
        )
    return policy.weights


def _unrevised(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    """Iterations whose training reads no revisions make none."""
    if left_out := unread(context.config, context.registry, stages):
        which = "" if len(left_out) == context.config.iterations else f"iteration {', '.join(map(str, left_out))}: "
        yield Found("revise", which + why_unread(context.config, left_out[0]))


def _idle_trainers(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    """Trainers whose turn never comes are said."""
    config = context.config
    if "train" in stages and (idle := [each.name for each in config.all_trainers[config.iterations :]]):
        told = f"iterations take them in turn, and {config.iterations} do not come to {', '.join(idle)}"
        yield Found("trainer", told, warning=True)


def _foreign_trees(context: RunContext, stages: Sequence[str]) -> Iterator[Found]:
    """Trainers of actions that start from another model than the one whose actions they are, which they may refuse."""
    config, registry = context.config, context.registry
    if "train" not in stages or config.start_from != "base":
        return
    later = {config.trainer_at(iteration).name for iteration in range(2, config.iterations + 1)} - {NO_TRAINER}
    for name in sorted(later):
        if registry.plugin_class("trainer", name).reads == "actions":
            told = f"base: from iteration 2 on '{name}' starts from another model than the one that grew its trees"
            yield Found("start_from", f"{told}, and may refuse them; previous starts from that one", warning=True)


def _trainer(context: RunContext, policy: Actor, stages: Sequence[str]) -> Iterator[Found]:
    """What the trainer makes of the model's chat template; it refuses here what it would refuse after the search."""
    if "train" not in stages:
        return
    weights = trainable(policy, context.config.policy.name)
    for chosen in _learning(context.config):
        yield from _spread(context, chosen)
        if "search" in stages:
            trainer: AnyTrainer = context.registry.create("trainer", chosen.name, chosen.options)
            trainer.check_sampling(sampling_of(context, context.config.searcher))
    if not _is_here(policy):
        return
    start = Checkpoint(model=weights, base_model=weights, template_options=policy.template_options)
    for chosen in _learning(context.config):
        yield from _trainer_of(context, chosen, start)


def _learning(config: RunConfig) -> Iterator[ChosenPlugin]:
    """The trainers that a run comes to, each once."""
    used = [config.trainer_at(iteration) for iteration in range(1, config.iterations + 1)]
    yield from {each.name: each for each in used if each.name != NO_TRAINER}.values()


def _spread(context: RunContext, chosen: ChosenPlugin) -> Iterator[Found]:
    """Over how many processes a training is shared out."""
    trainer: AnyTrainer = context.registry.create("trainer", chosen.name, chosen.options)
    if (spread := trainer.spread()) is not None:
        yield Found(f"{chosen.name}.processes", spread.told, warning=spread.warning)


def _trainer_of(context: RunContext, chosen: ChosenPlugin, start: Checkpoint) -> Iterator[Found]:
    trainer: AnyTrainer = context.registry.create("trainer", chosen.name, chosen.options)
    for name, world in context.worlds.items():
        told = trainer.check(start, world.environment.instructions(a_task(world, context.config)))
        if told is not None:
            yield Found("chat template" + (f" ({name})" if len(context.worlds) > 1 else ""), told)
    if (need := trainer.memory(start)) is not None:
        yield _fits(need)


def _fits(need: MemoryNeed) -> Found:
    """What a training takes of the memory; :class:`UsageError` where it cannot be had."""
    free = f"{_size(need.free)} of {need.device} are free"
    least = f"training takes {_size(need.least)} for {need.parts}"
    if need.least > need.free:
        raise UsageError(f"{least}, and only {free}; {need.advice}")
    told = f"{least}, up to {_size(need.most)} with {need.batch}; {free}"
    near = need.most > NEAR * need.free
    return Found("memory", f"{told}; {need.advice}" if near else told, warning=near)


def _size(count: int) -> str:
    return f"{count / 2**30:,.1f} GB" if count >= 2**30 else f"{count / 2**20:,.0f} MB"


def a_task(world: World, config: RunConfig) -> Task:
    """A task of the split that is searched."""
    return world.tasks(config.search_of(world.name).split)[0]


def _head(world: World, config: RunConfig) -> tuple[Message, ...]:
    task = a_task(world, config)
    return head(world.environment, task, task.instruction)
