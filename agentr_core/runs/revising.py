"""Whether an iteration of a run revises its trees: not where what it trains reads no revisions."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core.interfaces.trainer import AnyTrainer
from agentr_core.registry.lookup import Registry
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.settings.run_config import RunConfig
from agentr_core.train.stage import needs_revisions


def revises(config: RunConfig, registry: Registry, iteration: int, stages: Sequence[str]) -> bool:
    """Whether a run of these stages revises the trees of a 1-based iteration."""
    return "revise" in stages and iteration not in unread(config, registry, stages)


def unread(config: RunConfig, registry: Registry, stages: Sequence[str]) -> list[int]:
    """The iterations of which nobody would read revisions, were there any.

    They are read where the iteration's training reads them, and where nothing is trained (then they are what the run is
    for); and they were asked for where a critic was named.
    """
    iterations = range(1, config.iterations + 1)
    if config.revise_unread or "train" not in stages:
        return []
    return [number for number in iterations if not _read(config, registry, number)]


def _read(config: RunConfig, registry: Registry, iteration: int) -> bool:
    chosen = config.trainer_at(iteration)
    if chosen.name == NO_TRAINER:
        return True
    trainer: AnyTrainer = registry.create("trainer", chosen.name, chosen.options)
    return needs_revisions(config, trainer)


def at_work(config: RunConfig, registry: Registry, stages: Sequence[str]) -> list[str]:
    """Those of the stages in which a run does anything: none trains with no trainer, or revises for nobody."""
    trains = any(trainer.name != NO_TRAINER for trainer in config.all_trainers)
    idle = {"train": not trains, "revise": len(unread(config, registry, stages)) == config.iterations}
    return [stage for stage in stages if not idle.get(stage)]


def why_unread(config: RunConfig, iteration: int) -> str:
    """What is said where an iteration is not revised."""
    name = config.trainer_at(iteration).name
    return f"no revisions are made: the training by '{name}' reads none (--critic NAME asks for them all the same)"
