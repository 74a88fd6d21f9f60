"""What a run is going to do, in a line or two, before it does it."""

from __future__ import annotations

from collections.abc import Sequence

from agentr_core.settings.run_config import RunConfig

STAGES = ("search", "revise", "train", "evaluate")


def headline(config: RunConfig, stages: Sequence[str] = STAGES) -> str:
    """The plugins that the stages of a run use, in one line."""
    names = [" + ".join(config.environments)]
    names += [config.searcher.name] if "search" in stages else []
    names += [f"{config.critic.name} critic"] if "revise" in stages else []
    names += [", ".join(trainer.name for trainer in config.all_trainers)] if "train" in stages else []
    return " · ".join([*names, str(config.policy.options.get("model") or config.policy.name)])


def plan_line(config: RunConfig, stages: Sequence[str] = STAGES) -> str:
    """The size of a run of these stages in one line."""
    options = config.searcher.options
    searched = " + ".join(str(config.search_of(name).tasks) for name in config.environments)
    sizes = [_count(config.iterations, "iteration"), _count(searched, "task")]
    sizes += [f"{options[name]} {name}" for name in ("simulations", "attempts", "samples") if name in options]
    measured = _count(" + ".join(str(config.evaluate_of(name).tasks) for name in config.environments), "task")
    measured += f" × {config.evaluate.repeats} repeats" if config.evaluate.repeats > 1 else ""
    if "search" not in stages:
        return f"plan: {measured} measured"
    after = f"; {measured} measured before and after each" if "evaluate" in stages else ""
    return f"plan: {' × '.join(sizes)}{after}"


def _count(number: int | str, noun: str) -> str:
    return f"{number} {noun}{'s' * (str(number) != '1')}"
