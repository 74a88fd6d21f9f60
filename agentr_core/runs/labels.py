"""What rows of a table are called: by what tells them apart, so that no two different things have one name. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    known, theirs = dict(flatten(ours)), dict(flatten({"repeats": 1, **evaluation.config}))
    if theirs.get("policy", policy["name"]) != policy["name"]:  # its options are not comparable
        theirs = {name: value for name, value in theirs.items() if not name.startswith("options.")}
    return {name: value for name, value in theirs.items() if name in known and value != known[name]}


def acting(evaluation: EvalRow) -> dict[str, Any]:
    """The policy, its options and the model that an evaluation measured, as far as it says."""
    return {name: evaluation.config[name] for name in ACTING if name in evaluation.config}


def measured_how(evaluation: EvalRow) -> dict[str, Any]:
    """All settings of an evaluation but what acted: equal ones played the same tasks with the same seeds."""
    return {name: value for name, value in evaluation.config.items() if name not in ACTING}


def began_with(run: RunRow, evaluation: EvalRow, own: EvalRow | None) -> bool:
    """True where the evaluation measured the model that the run began with; ``own``: the run's own such evaluation."""
    if evaluation.iteration:
        return False
    if own is not None and evaluation.model != own.model:
        return False
    wished = run.config["policy"]["options"].get("model", evaluation.model)
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
    return key.rpartition(".")[2] if "options." in key or key.startswith(("repairs.", "actor.")) else key


def told_apart(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """For each configuration, the settings in which it differs from any of the others, by dotted name.

    Options of a plugin count only among those that use it.
    """
    flat = [{key: value for key, value in flatten(config) if value != {}} for config in configs]
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
    return not options or mine.get(f"{plugin}.name") == theirs.get(f"{plugin}.name")


def _differs(key: str, value: Any, theirs: Mapping[str, Any]) -> bool:
    return key not in theirs or canonical_json(theirs[key]) != canonical_json(value)
