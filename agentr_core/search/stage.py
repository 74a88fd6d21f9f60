"""The search stage: one tree of attempts for each task, many in flight (Agent-R section 3.1, phase I)."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import fmean
from typing import Any

from agentr_core.account import describe
from agentr_core.errors import AgentrError, NothingToDo
from agentr_core.hashing import content_hash
from agentr_core.interfaces.policy import AnyPolicy
from agentr_core.interfaces.searcher import AnySearcher
from agentr_core.interfaces.tree import Tree
from agentr_core.play.in_flight import Finished, not_now, run_with_second_try
from agentr_core.play.worlds import World, side_by_side
from agentr_core.process.progress import StageProgress
from agentr_core.records import Task
from agentr_core.registry.events import TreeFinished
from agentr_core.run_context import RunContext, StageResult, TreeWork
from agentr_core.search.task_samplers import PastSearch, SamplerRequest, choose
from agentr_core.search.tree_grower import TreeGrower
from agentr_core.seeds import TREE_NUMBER, derive_rng, derive_seed
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import Store, TreePlan, TreeRow
from agentr_core.store.events import Event, TreeEnded, TreeGrown
from agentr_core.workers.messages import Job

#: Only for the progress line: how long a simulation is, is not known before it ends.
HALF_A_SIMULATION = 10


async def grow_trees(
    context: RunContext, policy: AnyPolicy, searcher: AnySearcher, iteration: int, then: TreeWork | None = None
) -> StageResult:
    """Grow the trees of one iteration and return counts and rates.

    As many are in flight as the engine has room for (``play/admission.py``), at most ``concurrency``. A tree that fails
    is stored as failed with what it has grown, and the rest go on; one that failed for a reason that may pass is tried
    once more. :class:`~agentr_core.errors.AgentrError` where all of an environment failed, or such a reason did not
    pass: a resumed run takes failed trees up again where they stopped.

    ``then`` is called with each tree that is done, in that tree's place: what it asks of the policy rides in the same
    batches as the trees that still grow, and finds its own tree's prefixes. Its failure is not the tree's.
    """
    rows = _mine(context, _plan(context, policy, iteration))
    admission = context.admission(policy)
    todo = [row for row in rows if row.status != "done"]
    away = list[Finished[TreeRow, None]]()
    work = "search" if then is None else "search, revise"
    with context.progress.stage(f"iter {iteration} {work}", len(rows), "trees") as bar:
        bar.resume(len(rows) - len(todo), {row.id: row.simulations / max(1, searcher.simulations) for row in todo})
        line = _Line(context, policy, searcher.simulations, bar, {row.id: row for row in rows})
        working = replace(context, told=line.told)
        grow = _elsewhere(working, then) or TreeGrower(working, policy, searcher, admission, then, line.turned).grow
        async for finished in run_with_second_try(todo, grow, admission, context.stopped):
            if finished.error is not None:
                line.fail(finished.item, finished.error)
                away += [finished] if finished.passing else []
            elif finished.attempts > 1:
                context.store.trees.count_attempt(finished.item.id)
            bar.advance(1, line.note(bar.seconds), key=finished.item.id)
        context.stop_here()
        done = _mine(context, context.store.trees.select(context.run.id, iteration=iteration))
        result = search_result(context.store, context.run.id, iteration, done)
        told = describe(result.account)
        bar.advance(0, line.note(bar.seconds) + (f" · {told}" if told else ""))
    if away:
        left = sum(row.status != "done" for row in done)
        of = context.worlds.all_of(finished.item.env for finished in away)
        raise not_now(f"{left} of {len(done)} trees of iteration {iteration} are not grown{of}", away, context.advice)
    failed = [row for row in done if row.status == "failed"]
    grown = {row.env for row in done if row.status != "failed"}
    if lost := [row for row in failed if row.env not in grown]:
        which = f" in '{lost[0].env}'" if grown else ""
        raise AgentrError(f"every tree of iteration {iteration}{which} failed; the first: {lost[0].error}")
    return result


def search_result(store: Store, run_id: int, iteration: int, done: Sequence[TreeRow]) -> StageResult:
    """What the search of an iteration came to, whose trees are ``done``."""
    failed = sum(row.status == "failed" for row in done)
    return StageResult(
        {
            "trees": len(done) - failed,
            "failed": failed,
            "nodes": sum(row.n_nodes for row in done),
            "solved": sum((row.best_reward or 0.0) >= 1.0 for row in done),
        },
        account={
            **store.trees.count_turns(run_id, iteration),
            "tried": len(done),
            "failed": failed,
            "retried": sum(row.attempts > 0 for row in done if row.status == "done"),
        },
    )


def _mine(context: RunContext, rows: list[TreeRow]) -> list[TreeRow]:
    return rows if context.shard is None else context.shard.mine(rows)


def _elsewhere(context: RunContext, then: TreeWork | None) -> Callable[[TreeRow], Awaitable[None]] | None:
    """Has trees grown by the run's workers; None where it has none."""
    crew, store = context.crew, context.store
    if crew is None:
        return None

    async def grow(row: TreeRow) -> None:
        into = then.into if then is not None else None
        await crew.do(lambda: Job("grow", (store.trees.get(row.id), into), store.tables_of_tree(row.id)), context.told)

    return grow


def _plan(context: RunContext, policy: AnyPolicy, iteration: int) -> list[TreeRow]:
    """The trees of an iteration; what was chosen once stays, whatever becomes of the trees that it was chosen by."""
    planned = context.store.trees.select(context.run.id, iteration=iteration)
    tasks = [(row.task_id, row.task) for row in planned] or _choose(context, iteration)
    return context.store.trees.plan(
        context.run.id,
        iteration,
        [
            TreePlan(number, derive_seed(context.config.seed, "tree", iteration, key, TREE_NUMBER))
            for number, key in tasks
        ],
        searcher=context.config.searcher.name,
        searcher_hash=content_hash(context.config.searcher.model_dump(mode="json")),
        model=context.model_of(policy),
    )


def _choose(context: RunContext, iteration: int) -> list[tuple[int, str]]:
    """The tasks to search, as ids in the store and keys: of all environments side by side."""
    config, past = context.config, _history(context, iteration)
    worlds = context.worlds.items()
    tasks = [task for name, world in worlds for task in training_tasks(world, config, iteration, past.get(name, {}))]
    tasks = side_by_side(tasks)
    return list(zip(context.task_ids(tasks), [task.key for task in tasks], strict=True))


def _history(context: RunContext, iteration: int) -> dict[str, dict[str, tuple[PastSearch, ...]]]:
    """What the finished trees of earlier iterations came to, by environment and key of the task; out of the store."""
    trees, run_id = context.store.trees, context.run.id
    ends, found = trees.count_ends(run_id, iteration), dict[str, dict[str, tuple[PastSearch, ...]]]()
    for row in trees.select(run_id, status="done") if iteration > 1 else ():
        if row.iteration < iteration:
            past = PastSearch(row.iteration, row.best_reward or 0.0, *ends.get(row.id, (0, 0)))
            of_world = found.setdefault(row.env, {})
            of_world[row.task] = (*of_world.get(row.task, ()), past)
    return found


@dataclass(slots=True)
class _Line:
    """What the stage's line says: it counts what is committed, whoever grows the trees, and tells observers."""

    context: RunContext
    policy: AnyPolicy
    simulations: int
    bar: StageProgress
    rows: Mapping[int, TreeRow]
    nodes: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    #: How full the engine was, each time a tree ended; empty where it does not tell.
    occupancy: list[float] = field(default_factory=list)
    store_seconds: float = 0.0
    #: Replays that did not show what was recorded.
    mismatches: int = 0
    #: What the policy had been busy for before this stage; None where it does not say.
    busy_before: float | None = None
    environment_before: float = 0.0

    def __post_init__(self) -> None:
        self.busy_before = self.policy.busy_seconds
        self.environment_before = self.context.worlds.busy_seconds

    def told(self, event: Event) -> None:
        """Count what an event brings."""
        if isinstance(event, TreeGrown):
            self.nodes += len(event.nodes)
            self._move(event.tree_id, event.after[0])
        elif isinstance(event, TreeEnded):
            self._count(json.loads(event.stats_json or "{}"))
            self.tell(self.rows[event.tree_id], event.nodes, event.best_reward or 0.0)

    def turned(self, row: TreeRow, tree: Tree, turns: int) -> None:
        """Move the line: a simulation that is under way counts as half done after :data:`HALF_A_SIMULATION` turns."""
        self._move(row.id, tree.simulations + turns / (turns + HALF_A_SIMULATION))

    def _move(self, tree_id: int, simulations: float) -> None:
        self.bar.partly(tree_id, simulations / max(self.simulations, 1), lambda: self.note(self.bar.seconds))

    def fail(self, row: TreeRow, error: Exception) -> None:
        """Keep a tree that failed as a row."""
        self.context.store.trees.finish(row.id, "failed", error=str(error))
        self.context.progress.say(f"warning: task {self.context.worlds.name_of(row.env, row.task)} failed: {error}")
        self.tell(row, 0, 0.0, str(error))

    def tell(self, row: TreeRow, nodes: int, best: float, error: str | None = None) -> None:
        """Tell observers that a tree has ended."""
        self.context.registry.notify(
            TreeFinished(self.context.run.key, row.id, row.task, row.iteration, nodes, best, error)
        )

    def note(self, seconds: float) -> str:
        """Nodes, their rate, and the shares of the wall clock: ``6,204 nodes · 101 nodes/s · model 88% env 1%``.

        Then how full the engine was and what share of prompt tokens its cache held, where that is known; replays that
        did not show what was recorded are counted at the end, where there were any. Of workers their number is told:
        their clocks run side by side.
        """
        differed = f" · {self.mismatches} replays differed" if self.mismatches else ""
        rate = f"{self.nodes:,} nodes · {self.nodes / max(seconds, 1e-9):,.0f} nodes/s"
        crew = self.context.crew
        return f"{rate} · {self._shares(seconds) if crew is None else f'{crew.size} workers'}{self._engine()}{differed}"

    def _shares(self, seconds: float) -> str:
        busy = self.policy.busy_seconds
        model = {} if busy is None or self.busy_before is None else {"model": busy - self.busy_before}
        environment = self.context.worlds.busy_seconds - self.environment_before
        shares = {**model, "env": environment, "store": self.store_seconds}
        return " ".join(f"{name} {100 * spent / max(seconds, 1e-9):.0f}%" for name, spent in shares.items())

    def _count(self, costs: Mapping[str, Any]) -> None:
        self.store_seconds += costs["store_seconds"]
        self.mismatches += costs["environment_mismatches"]
        self.prompt_tokens += costs["prompt_tokens"]
        self.cached_tokens += costs["cached_tokens"]
        load = self.policy.engine_load()
        if load is not None and load.busy is not None:
            self.occupancy.append(load.busy)

    def _engine(self) -> str:
        full = f" · engine {100 * fmean(self.occupancy):.0f}% full" if self.occupancy else ""
        cached = f" · {100 * self.cached_tokens / self.prompt_tokens:.0f}% cached" if self.cached_tokens else ""
        return full + cached


def training_tasks(
    world: World, config: RunConfig, iteration: int, history: Mapping[str, tuple[PastSearch, ...]] | None = None
) -> list[Task]:
    """The tasks of one environment searched in a 1-based iteration: those that ``search.sampler`` takes of the split.

    It is handed the split shuffled by the run's seed, and ``history``: what earlier iterations came to, by key. Raises
    :class:`~agentr_core.errors.NothingToDo` where the split is empty, and as
    :func:`~agentr_core.search.task_samplers.choose` does.
    """
    settings = config.search_of(world.name)
    tasks = world.tasks(settings.split)
    if not tasks:
        raise NothingToDo(f"the split '{settings.split}' of '{world.name}' has no tasks; choose another search.split")
    derive_rng(config.seed, "tasks", settings.split).shuffle(tasks)
    request = SamplerRequest(
        iteration=iteration,
        iterations=config.iterations,
        wanted=settings.tasks,
        rotate=settings.rotate,
        rng=derive_rng(config.seed, "sampler", world.name, iteration),
        history=history or {},
    )
    return choose(settings.sampler, tasks, request)
