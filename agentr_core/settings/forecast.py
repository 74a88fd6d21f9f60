"""What a run is going to do, in words and counts, before it does it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentr_core.registry.lookup import registry
from agentr_core.settings.run_config import RunConfig

STAGES = ("search", "revise", "train", "evaluate")


def headline(config: RunConfig, stages: Sequence[str] = STAGES) -> str:
    """The plugins that the stages of a run use, in one line."""
    names = [config.env.name]
    names += [config.searcher.name] if "search" in stages else []
    names += [f"{config.critic.name} critic"] if "revise" in stages else []
    names += [config.trainer.name] if "train" in stages else []
    return " · ".join([*names, str(config.policy.options.get("model") or config.policy.name)])


def plan_line(config: RunConfig, stages: Sequence[str] = STAGES) -> str:
    """The size of a run of these stages in one line."""
    options = config.searcher.options
    sizes = [_count(config.iterations, "iteration"), _count(config.search.tasks, "task")]
    sizes += [f"{options[name]} {name}" for name in ("simulations", "attempts", "samples") if name in options]
    measured = _count(config.evaluate.tasks, "task")
    measured += f" × {config.evaluate.repeats} repeats" if config.evaluate.repeats > 1 else ""
    if "search" not in stages:
        return f"plan: {measured} measured"
    after = f"; {measured} measured before and after each" if "evaluate" in stages else ""
    return f"plan: {' × '.join(sizes)}{after}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def plan(config: RunConfig) -> dict[str, Any]:
    """What a run would do at the most: counts that follow from the configuration alone."""
    searcher = registry().create("searcher", config.searcher.name, config.searcher.options)
    samples = int(config.searcher.options.get("samples", 1))
    depth = int(config.searcher.options.get("depth", 0))
    trees = config.iterations * config.search.tasks
    per_tree = searcher.simulations * max(depth, 1) * samples
    episodes = (config.iterations + 1) * config.evaluate.tasks * config.evaluate.repeats
    return {
        "iterations": config.iterations,
        "trees": trees,
        "simulations": searcher.simulations,
        "completions_at_most": trees * per_tree,
        "evaluation_episodes": episodes,
        "evaluation_turns_at_most": episodes * config.evaluate.max_turns,
    }
