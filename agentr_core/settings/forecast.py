"""What a run is going to do, in words and counts, before it does it."""

from __future__ import annotations

from typing import Any

from agentr_core.registry.lookup import registry
from agentr_core.settings.run_config import RunConfig


def headline(config: RunConfig) -> str:
    """The plugins of a run in one line."""
    model = config.policy.options.get("model")
    names = [" + ".join(config.environments), config.searcher.name, f"{config.critic.name} critic", config.trainer.name]
    return " · ".join([*names, str(model or config.policy.name)])


def plan_line(config: RunConfig) -> str:
    """The size of a run in one line."""
    options = config.searcher.options
    searched = " + ".join(str(config.search_of(name).tasks) for name in config.environments)
    sizes = [_count(config.iterations, "iteration"), _count(searched, "task")]
    sizes += [f"{options[name]} {name}" for name in ("simulations", "attempts", "samples") if name in options]
    measured = _count(" + ".join(str(config.evaluate_of(name).tasks) for name in config.environments), "task")
    measured += f" × {config.evaluate.repeats} repeats" if config.evaluate.repeats > 1 else ""
    return f"plan: {' × '.join(sizes)}; {measured} measured before and after each"


def _count(number: int | str, noun: str) -> str:
    return f"{number} {noun}{'s' * (str(number) != '1')}"


def plan(config: RunConfig) -> dict[str, Any]:
    """What a run would do at the most: counts that follow from the configuration alone."""
    searcher = registry().create("searcher", config.searcher.name, config.searcher.options)
    samples = int(config.searcher.options.get("samples", 1))
    depth = int(config.searcher.options.get("depth", 0))
    measured = [config.evaluate_of(name) for name in config.environments]
    trees = config.iterations * sum(config.search_of(name).tasks for name in config.environments)
    per_tree = searcher.simulations * max(depth, 1) * samples
    rounds = (config.iterations + 1) * config.evaluate.repeats
    return {
        "iterations": config.iterations,
        "trees": trees,
        "simulations": searcher.simulations,
        "completions_at_most": trees * per_tree,
        "evaluation_episodes": rounds * sum(settings.tasks for settings in measured),
        "evaluation_turns_at_most": rounds * sum(settings.tasks * settings.max_turns for settings in measured),
    }
