"""What a run is going to do, in words and counts, before it does it."""

from __future__ import annotations

from typing import Any

from agentr_core.registry.lookup import registry
from agentr_core.settings.run_config import RunConfig


def headline(config: RunConfig) -> str:
    """The plugins of a run in one line."""
    model = config.policy.options.get("model")
    names = [config.env.name, config.searcher.name, f"{config.critic.name} critic", config.trainer.name]
    return " · ".join([*names, str(model or config.policy.name)])


def plan_line(config: RunConfig) -> str:
    """The size of a run in one line."""
    options = config.searcher.options
    sizes = [_count(config.iterations, "iteration"), _count(config.search.tasks, "task")]
    sizes += [f"{options[name]} {name}" for name in ("simulations", "attempts", "samples") if name in options]
    measured = _count(config.evaluate.tasks, "task")
    measured += f" × {config.evaluate.repeats} repeats" if config.evaluate.repeats > 1 else ""
    return f"plan: {' × '.join(sizes)}; {measured} measured before and after each"


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
