"""What a run is going to do, in a line or two, before it does it."""

from __future__ import annotations

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
    return f"plan: {' × '.join(sizes)}; {_count(config.evaluate.tasks, 'task')} measured before and after each"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
