"""What is needed to make a run again: versions, seed, configuration, the commands to type."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import ValidationError

from agentr_core.errors import AgentrError
from agentr_core.registry.lookup import registry
from agentr_core.runs.labels import environment_names
from agentr_core.runs.report import Table
from agentr_core.settings.dotted import SOURCES
from agentr_core.settings.run_config import RunConfig
from agentr_core.settings.toml_text import config_tables, to_toml, toml_value
from agentr_core.store import RunRow, Store


def versions(store: Store, run: RunRow) -> Table:
    """The code that a run was made with: agentr, each plugin, each environment's own version."""
    rows = [["agentr", "", f"agentr-core {run.agentr_version}"]]
    rows += [[row.kind, row.name, f"{row.distribution} {row.version}"] for row in store.runs.plugins(run.id)]
    worlds = [row[1] for row in rows if row[0] == "env"]
    rows += [["world", name, version] for name in worlds for version in store.runs.env_versions(run.id, name)]
    columns = ["kind", "name", "version"]
    return Table(columns, rows, [dict(zip(columns, row, strict=True)) for row in rows])


def stored_settings(run: RunRow) -> RunConfig | None:
    """What a run was asked to compute; None where this version of agentr no longer allows it."""
    try:
        known = {key: value for key, value in run.config.items() if key in RunConfig.model_fields}
        return RunConfig.model_validate(known)
    except ValidationError:
        return None


def configuration(run: RunRow) -> str:
    """The settings of a run as a run.toml."""
    config = stored_settings(run)
    kept = {key: value for key, value in run.config.items() if key != SOURCES}
    return to_toml(kept if config is None else config_tables(config))


def commands(store: Store, run: RunRow) -> list[str]:
    """What to type to make a run again, with its configuration beside it as ``run.toml``, and what stands beside it."""
    return [_begin(run), *_beside(store, run)]


def _begin(run: RunRow) -> str:
    name = ["--name", run.name] if run.name else []
    if run.command == "import":
        return shlex.join(["agentr", "datasets", "import", "FILE", "--env", environment_names(run.config), *name])
    alone: dict[tuple[str, ...], str] = {("search",): "search", ("evaluate",): "eval"}
    command = alone.get(stages_of(run), "run")
    return shlex.join(["agentr", command, "--config", "run.toml", *name])


def stages_of(run: RunRow) -> tuple[str, ...]:
    """The stages that a run was asked for; none of an import of conversations."""
    return tuple(run.config.get("stages", ("search", "revise", "train", "evaluate")))


def _beside(store: Store, run: RunRow) -> Iterator[str]:
    """Single stages over the run's trees: sets, checkpoints and evaluations that are not those of its own chain."""
    own: dict[str, set[int | None]] = {}
    for stage in store.runs.stages(run.id):
        own.setdefault(stage.stage, set()).add(stage.result_id)
    where = ["--run", run.name or run.short]
    for row in store.revisions.select(run.id):
        if row.id not in own.get("revise", set()):
            chosen = _chosen(run, "critic", row.config.get("critic", {"name": row.critic, "options": {}}))
            yield shlex.join(["agentr", "revise", *where, *chosen, "--iteration", str(row.iteration)])
    for made in store.checkpoints.select(run.id, complete=True):
        if made.id not in own.get("train", set()):
            data = store.datasets.get(made.dataset_id)
            critic = ["--critic", store.revisions.get(data.set_id).critic] if data.set_id else []
            recipe = ["--recipe", data.recipe] if data.reads == "conversations" else []
            trainer = _chosen(run, "trainer", made.config.get("trainer", {"name": made.trainer, "options": {}}))
            more = [*critic, *recipe, *trainer, "--iteration", str(made.iteration)]
            yield shlex.join(["agentr", "train", *where, *more])
            yield shlex.join(["agentr", "eval", *where, "--checkpoint", "last"])


def _chosen(run: RunRow, kind: Literal["critic", "trainer"], chosen: Mapping[str, Any]) -> list[str]:
    """A plugin as flags: its name, and the options in which it is not as the run has it, or as it comes."""
    of_run = run.config.get(kind) or {}
    usual = of_run["options"] if of_run.get("name") == chosen["name"] else _defaults(kind, chosen["name"])
    changed = {key: value for key, value in chosen["options"].items() if value is not None and usual.get(key) != value}
    options = [flag for key, value in changed.items() for flag in ("-o", f"{chosen['name']}.{key}={toml_value(value)}")]
    return [f"--{kind}", str(chosen["name"]), *options]


def _defaults(kind: Literal["critic", "trainer"], name: str) -> dict[str, Any]:
    """The options that a plugin has if none are given; none where it is not installed or needs some."""
    try:
        return registry().validate(kind, name, {}).model_dump(mode="json")
    except AgentrError:
        return {}
