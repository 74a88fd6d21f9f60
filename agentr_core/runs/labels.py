"""What rows of a table are called: by what tells them apart, so that no two different things have one name. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from agentr_core.hashing import canonical_json
from agentr_core.settings.dotted import flatten
from agentr_core.store import EvalRow, RunRow

#: What acts, in the settings of an evaluation.
ACTING = ("policy", "options", "model")


def other_settings(run: RunRow, evaluation: EvalRow) -> dict[str, Any]:
    """The settings of an evaluation that are not the run's own, by dotted name: how it measured, and what acted."""
    config, policy = run.config, run.config["policy"]
    ours = {"repeats": 1, **config["evaluate"], "env": config["env"], "seed": config["seed"]}
    ours |= {"revision_action": config["revise"]["revision_action"]}
    ours |= {"policy": policy["name"], "options": {k: v for k, v in policy["options"].items() if k != "model"}}
    known, theirs = dict(flatten(by_name(ours))), dict(flatten(by_name({"repeats": 1, **evaluation.config})))
    if theirs.get("policy", policy["name"]) != policy["name"]:  # its options are not comparable
        theirs = {name: value for name, value in theirs.items() if not name.startswith("options.")}
    return {name: value for name, value in theirs.items() if _known(name, known) and value != known.get(name)}


def _known(name: str, known: Mapping[str, Any]) -> bool:
    """Whether a setting says how something was measured: one that the run has too, or that a world has of its own."""
    return name in known or (name.startswith("env.") and ".evaluate." in name)


def by_name(config: Mapping[str, Any], *, alone: bool = False) -> dict[str, Any]:
    """A stored configuration with the tables of several environments by name, which a list would hide.

    ``alone``: that of the only environment as well, as beside a run that has several.
    """
    chosen = config.get("env")
    if not isinstance(chosen, list) and not (alone and isinstance(chosen, Mapping)):
        return dict(config)
    several = chosen if isinstance(chosen, list) else [chosen]
    tables = {one["name"]: {key: value for key, value in one.items() if key != "name"} for one in several}
    return {**config, "env": {"name": environment_names(config), **tables}}


def acting(evaluation: EvalRow) -> dict[str, Any]:
    """The policy, its options and the model that an evaluation measured, as far as it says."""
    return {name: evaluation.config[name] for name in ACTING if name in evaluation.config}


def measured_how(evaluation: EvalRow) -> dict[str, Any]:
    """All settings of an evaluation that say what was played: equal ones played the same tasks with the same seeds.

    Not what acted, and of each environment not how it is searched and trained on.
    """
    how = {name: value for name, value in evaluation.config.items() if name not in ACTING}
    chosen = how.get("env")
    several = [chosen] if isinstance(chosen, Mapping) else chosen or []
    return {**how, "env": [{key: one[key] for key in one if key not in ("weight", "search")} for one in several]}


def began_with(run: RunRow, evaluation: EvalRow, own: EvalRow | None, kept: Callable[[str], str]) -> bool:
    """True where the evaluation measured the model that the run began with; ``own``: the run's own such evaluation.

    ``kept`` gives a model's name as the store keeps it, which is how evaluations have it.
    """
    if evaluation.iteration:
        return False
    if own is not None and evaluation.model != own.model:
        return False
    wished = kept(str(run.config["policy"]["options"].get("model", evaluation.model)))
    return other_settings(run, evaluation).get("policy") is None and (own is not None or evaluation.model == wished)


def environment_names(config: Mapping[str, Any]) -> str:
    """The environments of a stored configuration as ``--env`` takes them: ``a,b``."""
    chosen = config["env"]
    return ",".join(one["name"] for one in ([chosen] if isinstance(chosen, Mapping) else chosen))


def model_name(model: str) -> str:
    """A model in a word or two: the end of a path, ``iteration-1/model``; an id as it is."""
    path = PurePath(model)
    return "/".join(path.parts[-2:]) if path.is_absolute() or len(path.parts) > 2 else model


def evaluation_label(row: Mapping[str, Any]) -> str:
    """What a row of evaluated models is called: iteration or model, what it was trained on, and other settings."""
    settings = dict(row["settings"])
    if row["began"]:
        label = ["baseline"]
    elif row["iteration"]:
        label = [f"iteration {row['iteration']}"]
        trained = row["dataset"] or model_name(row["model"])
        label += [] if row["own"] else [trained]
    else:
        policy, model = settings.pop("policy", None), model_name(row["model"])
        label = [model] if policy in (None, model) else [f"{policy} {model}"]
    return " · ".join([*label, *setting_texts(settings)])


def setting_texts(settings: Mapping[str, Any]) -> list[str]:
    """Settings as people type them: ``rate=0.4``; what is only a name (a plugin's) stands alone."""
    return [str(value) if key.endswith(".name") else f"{_short(key)}={value}" for key, value in settings.items()]


def _short(key: str) -> str:
    """A setting as it is typed; of an option of the only environment, a searcher and the like its name is enough."""
    world, of_one, option = key.removeprefix("env.").partition(".options.")
    if key.startswith("env."):
        return f"{world}.{option}" if of_one else world.removeprefix("options.")
    return key.rpartition(".")[2] if "options." in key or key.startswith(("repairs.", "actor.")) else key


def told_apart(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each configuration, the settings in which it differs from any of the others, by dotted name.

    Options of a plugin count only among those that use it.
    """
    any_several = any(isinstance(config.get("env"), list) for config in configs)
    named = [by_name(config, alone=any_several) for config in configs]
    flat = [{key: value for key, value in flatten(config) if value != {}} for config in named]
    return [
        {
            key: value
            for key, value in mine.items()
            if any(_differs(key, value, theirs) for theirs in flat if _comparable(key, mine, theirs))
        }
        for mine in flat
    ]


def _comparable(key: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    plugin, options, _ = key.partition(".options.")
    if plugin.startswith("env."):  # one of several
        return plugin.removeprefix("env.") in str(theirs.get("env.name")).split(",")
    return not options or mine.get(f"{plugin}.name") == theirs.get(f"{plugin}.name")


def _differs(key: str, value: Any, theirs: Mapping[str, Any]) -> bool:
    return key not in theirs or canonical_json(theirs[key]) != canonical_json(value)
