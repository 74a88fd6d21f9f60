"""The runs of a sweep: each is a run like any other, found again by its settings, so that none is made twice.

Runs that begin with the same trees share them: the first grows them, the others take them over
(:mod:`agentr_core.runs.taken_over`). A sweep keeps nothing of its own, so it can be killed at any moment.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from agentr_core.errors import AgentrError, Interrupted, UsageError
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import Registry
from agentr_core.registry.lookup import registry as default_registry
from agentr_core.run_context import Shard
from agentr_core.runs.iterations import ALL_STAGES
from agentr_core.runs.revising import revises
from agentr_core.runs.start_and_resume import failures, resume, run
from agentr_core.runs.taken_over import same_trees, sources, take_over
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.settings.run_config import RunConfig
from agentr_core.settings.sweep import Combination, Sweep
from agentr_core.store import RunRow, Store, is_new, open_store

#: What is left to do of a combination.
State = Literal["done", "begun", "to do"]
#: What is said of a stage that is taken over.
_TAKEN = {"evaluate": "the baseline is", "search": "the first trees are", "revise": "their revisions are"}


@dataclass(frozen=True, slots=True)
class Planned:
    """One combination of a sweep, and how far it is. ``shared``: its first trees are those of a run before it."""

    combination: Combination
    run: RunRow | None
    state: State
    shared: bool

    @property
    def work(self) -> dict[str, int]:
        """What is left to do at the most: searches, trees, trainings, evaluations; what is half done counts whole."""
        if self.state == "done":
            return {}
        config = self.combination.config
        searches = config.iterations - self.shared
        trees = searches * sum(config.search_of(name).tasks for name in config.environments)
        trainings = sum(config.trainer_at(number).name != NO_TRAINER for number in range(1, config.iterations + 1))
        evaluations = config.iterations + (not self.shared)
        return {"searches": searches, "trees": trees, "trainings": trainings, "evaluations": evaluations}


def found_runs(store: Store, sweep: Sweep) -> dict[str, RunRow]:
    """The runs of a sweep that are there, by the hash of their settings: whole runs alone, of several the newest."""
    wanted = {each.config.hash for each in sweep.combinations}
    whole = [row for row in store.runs.select() if tuple(row.config.get("stages", ())) == ALL_STAGES]
    return {row.config_hash: row for row in reversed(whole) if row.config_hash in wanted}


def plan(sweep: Sweep, db: str | Path) -> list[Planned]:
    """All combinations in their order, each with how far it is; nothing is written."""
    if is_new(Path(db)):
        return list(_planned(sweep, {}))
    with open_store(db, read_only=True) as store:
        return list(_planned(sweep, found_runs(store, sweep)))


def _planned(sweep: Sweep, there: Mapping[str, RunRow]) -> Iterator[Planned]:
    begun = set[str]()
    for each in sweep.combinations:
        row, trees = there.get(each.config.hash), same_trees(each.config)
        state: State = "to do" if row is None else "done" if row.status == "done" else "begun"
        yield Planned(each, row, state, trees in begun)
        begun.add(trees)


def part_of(sweep: Sweep, shard: Shard) -> Sweep:
    """One part of a sweep that is shared out over several databases; runs that begin with the same trees stay together.

    Raises :class:`~agentr_core.errors.UsageError` for a part that nothing is left for.
    """
    groups = list(dict.fromkeys(same_trees(each.config) for each in sweep.combinations))
    mine = set(shard.mine(groups))
    if not mine:
        told = f"{len(groups)} groups of runs that begin with the same trees, so it has {len(groups)} parts at the most"
        raise UsageError(f"--shard {shard}: the sweep has {told}")
    return replace(sweep, combinations=tuple(each for each in sweep.combinations if same_trees(each.config) in mine))


def totals(planned: Sequence[Planned]) -> dict[str, int]:
    """What is left to do of a sweep, added up, with the number of runs and of those that are done."""
    left = Counter[str]()
    for each in planned:
        left.update(each.work)
    return {"runs": len(planned), "done": sum(each.state == "done" for each in planned), **left}


@dataclass(frozen=True, slots=True)
class Swept:
    """How a combination ended: its run, or the error that ended it; ``failed`` counts trees and episodes that did."""

    combination: Combination
    run: RunRow | None
    failed: int = 0
    error: str = ""


def sweep_runs(
    sweep: Sweep,
    *,
    db: str | Path,
    out: str | Path | None,
    progress: Progress,
    advice: str,
    registry: Registry | None = None,
) -> list[Swept]:
    """See every run of a sweep through, one after the other; one that fails is told of, and the others go on.

    Raises :class:`~agentr_core.errors.Interrupted`, with ``advice`` how to go on, after Ctrl-C, and
    :class:`~agentr_core.errors.UsageError` where somebody works on one of the runs.
    """
    worker = _Worker(sweep, db, out, progress, registry or default_registry())
    worker.check_nobody_works()
    ended = []
    for number, each in enumerate(sweep.combinations, 1):
        progress.say(f"\nsweep {sweep.name}, run {number} of {len(sweep.combinations)}: {each.name}")
        try:
            ended.append(worker.see_through(each))
        except Interrupted:
            raise Interrupted(f"interrupted; what is done is kept; go on with: {advice}") from None
        except AgentrError as error:
            progress.say(f"warning: {each.name} failed: {error}")
            ended.append(Swept(each, None, error=str(error)))
    return ended


@dataclass(frozen=True, slots=True)
class _Worker:
    """Makes the runs of a sweep in one database."""

    sweep: Sweep
    db: str | Path
    out: str | Path | None
    progress: Progress
    registry: Registry

    def check_nobody_works(self) -> None:
        """Raise where another process works on one of the runs."""
        with open_store(self.db) as store:
            for row in found_runs(store, self.sweep).values():
                if store.runs.is_alive(row):
                    told = f"run {row.short} is still being worked on (process {row.pid}); stop that one first"
                    raise UsageError(told)

    def see_through(self, each: Combination) -> Swept:
        """Start a combination's run, or go on with it; one that is done is left as it is."""
        with open_store(self.db) as store:
            there = found_runs(store, self.sweep)
            row = there.get(each.config.hash)
            if row is not None and row.status == "done":
                self.progress.say(f"done already: run {row.short}")
                return Swept(each, row, failures(store, row.id))
            name, others = self._free_name(store, each), list(there.values())
            taken = {} if row is not None else self._to_take_over(store, each.config, others)
        if row is not None:
            outcome = resume(row.key, db=self.db, progress=self.progress, registry=self.registry)
        else:
            begin = partial(take_over, found=taken)
            told = {"db": self.db, "out": self.out, "name": name, "progress": self.progress, "registry": self.registry}
            outcome = run(each.config, **told, before=begin)  # type: ignore[arg-type]
        return Swept(each, outcome.run, outcome.failed)

    def _to_take_over(self, store: Store, config: RunConfig, others: Sequence[RunRow]) -> dict[str, RunRow]:
        """What others of the sweep have made already of a new run."""
        revised = revises(config, self.registry, 1, ALL_STAGES)
        found = sources(store, config, others, self.registry, revised=revised)
        for stage, source in found.items():
            self.progress.say(f"{_TAKEN[stage]} taken over from run {source.short}")
        return found

    def _free_name(self, store: Store, each: Combination) -> str:
        """``study-dpo-1``: what nobody is called yet; a run of before with other settings keeps the name it has."""
        words = f"{self.sweep.name}-{each.label}-{each.config.seed}"
        name = re.sub(r"[^A-Za-z0-9._=+]+", "-", words).strip("-.")
        taken = {row.name for row in store.runs.select()}
        return name if name not in taken else f"{name}-{each.config.hash[:8]}"
