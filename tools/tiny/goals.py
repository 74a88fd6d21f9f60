"""TextCraft's goals: which are demonstrated, which are held out, and what the environment shows of them."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core import create, derive_rng
from tools.tiny.worlds import Words, World

#: The share of the goals of split ``train`` that may be demonstrated, at each depth.
SHARE = 0.6


def demonstrated_goals(seed: int = 0, deepest: int | None = None) -> list[str]:
    """Task keys of split ``train`` that the model may see solved, none below ``deepest``; the others never are."""
    tasks = [
        task
        for task in create("env", "textcraft").tasks("train")
        if deepest is None or task.metadata["depth"] <= deepest
    ]
    chosen: list[str] = []
    for depth in sorted({task.metadata["depth"] for task in tasks}):
        keys = [task.key for task in tasks if task.metadata["depth"] == depth]
        chosen += derive_rng(seed, "tiny", "goals", depth).sample(keys, round(SHARE * len(keys)))
    return [task.key for task in tasks if task.key in set(chosen)]


def goal_worlds(keys: Sequence[str], seeds: Sequence[int] = (0, 1, 2, 3)) -> tuple[World, ...]:
    """What the environment shows of these goals, with several draws of the recipes beside them."""
    environments = [create("env", "textcraft", seed=seed) for seed in seeds]
    return tuple(World.parse(env.reset(env.task(key))) for env in environments for key in keys)


def item_words(rarity: float = 0.0) -> Words:
    """Every word that occurs in an item's name; ``rarity`` is that of :class:`~tools.tiny.worlds.Words`."""
    env = create("env", "textcraft")
    worlds = [World.parse(env.reset(task)) for split in ("train", "valid", "test") for task in env.tasks(split)]
    return Words(sorted({word for world in worlds for item in world.items() for word in item.split()}), rarity)
