"""TextCraft's goals: which are demonstrated, which are held out, and episodes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentr_textcraft.config import TextCraftConfig
from agentr_textcraft.env import TextCraft

from agentr_core import derive_rng, parse_response
from tools.tiny.worlds import World

#: The share of the goals of split ``train`` that may be demonstrated, at each depth.
SHARE = 0.6


def demonstrated_goals(seed: int = 0) -> list[str]:
    """Task keys of split ``train`` that the model may see solved; the other goals are never demonstrated."""
    tasks = TextCraft(TextCraftConfig()).tasks("train")
    chosen: list[str] = []
    for depth in sorted({task.metadata["depth"] for task in tasks}):
        keys = [task.key for task in tasks if task.metadata["depth"] == depth]
        chosen += derive_rng(seed, "tiny", "goals", depth).sample(keys, round(SHARE * len(keys)))
    return [task.key for task in tasks if task.key in set(chosen)]


def goal_worlds(keys: Sequence[str], seeds: Sequence[int] = (0, 1, 2, 3)) -> tuple[World, ...]:
    """What the environment shows of these goals, with several draws of the recipes beside them."""
    environments = [TextCraft(TextCraftConfig(seed=seed)) for seed in seeds]
    return tuple(World.parse(env.reset(env.task(key))) for env in environments for key in keys)


def item_words() -> tuple[str, ...]:
    """Every word that occurs in an item's name, sorted."""
    env = TextCraft(TextCraftConfig())
    worlds = [World.parse(env.reset(task)) for split in ("train", "valid", "test") for task in env.tasks(split)]
    return tuple(sorted({word for world in worlds for item in world.items() for word in item.split()}))


class EnvPlay:
    """An episode of the real environment."""

    def __init__(self, key: str, seed: int = 0) -> None:
        self.env = TextCraft(TextCraftConfig(seed=seed))
        self.task, self.solved, self.done, self.actions = self.env.task(key), False, False, 0
        self.log: list[dict[str, Any]] = []
        self.messages = [{"role": "user", "content": self.env.reset(self.task)}]

    def answer(self, turn: str) -> None:
        """Do the action of ``turn``; the log keeps action, observation and the oracle's distance around it."""
        self.messages += [{"role": "assistant", "content": turn}, {"role": "user", "content": self._observe(turn)}]

    def _observe(self, turn: str) -> str:
        parsed = parse_response(turn)
        if parsed.action is None:
            return parsed.error or ""
        if parsed.action == "revise":
            return "ok."
        before = self.env.distance()
        result = self.env.step(parsed.action)
        after = 0.0 if result.terminated else self.env.distance()
        self.log.append({"action": parsed.action, "seen": result.observation, "before": before, "after": after})
        self.solved, self.done = result.reward >= 1.0, result.terminated or result.truncated
        return result.observation
