"""What code a run is made with, and whether it goes on with the code and in the world that it was begun with.

Trees that one version of an environment has grown mean nothing in another: a splice of them would be "verified" there,
and two evaluations would share no task. So a run that goes on elsewhere is refused before anything is played.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

import agentr_core
from agentr_core.errors import ResumeError, UsageError
from agentr_core.interfaces.environment import AnyEnvironment
from agentr_core.interfaces.executor import LOCAL
from agentr_core.play.worlds import Worlds
from agentr_core.process.closing import closing
from agentr_core.registry.lookup import IN_PROCESS, NOUNS, Registry
from agentr_core.registry.specs import Kind
from agentr_core.settings.layers import NO_TRAINER
from agentr_core.settings.run_config import ChosenPlugin, RunConfig
from agentr_core.store import PluginRow, RunRow, Store

#: What a version says where nobody knows it: code of a checkout, or of this process.
_UNKNOWN = ("", "?", "0", "0.0.0")


def chosen_plugins(config: RunConfig) -> Iterator[tuple[Kind, ChosenPlugin]]:
    """The plugins that a run's results depend on; one without training has no trainer, and there may be several."""
    for chosen in config.env:
        yield "env", chosen
    yield from (("policy", config.policy), ("searcher", config.searcher), ("critic", config.critic))
    yield from (("trainer", chosen) for chosen in config.all_trainers if chosen.name != NO_TRAINER)


def check_plugins(config: RunConfig, registry: Registry) -> None:
    """Raise at once for a plugin that does not exist, lacks a package, or has wrong options."""
    chosen = list(chosen_plugins(config))
    if config.executor.name != LOCAL:
        chosen.append(("executor", config.executor))
    for kind, plugin in chosen:
        registry.require(kind, plugin.name)
        registry.validate(kind, plugin.name, plugin.options)


def provenance(config: RunConfig, registry: Registry) -> list[PluginRow]:
    """What code the plugins of a run are: their distributions, versions and options."""
    options = {(kind, plugin.name): plugin.options for kind, plugin in chosen_plugins(config)}
    rows = registry.provenance(list(options))
    return [
        PluginRow(
            kind=row["kind"],
            name=row["name"],
            distribution=row["distribution"],
            version=row["version"],
            target=registry.spec(row["kind"], row["name"]).target,
            config=options[row["kind"], row["name"]],
        )
        for row in rows
    ]


def versions(config: RunConfig, registry: Registry) -> dict[str, str]:
    """What must be the same in a run and its workers: Python, agentr, and the plugins, of a file its content."""
    plugins = {f"{row.kind} {row.name}": row.version for row in provenance(config, registry)}
    python = ".".join(platform.python_version_tuple()[:2])
    return {"Python": python, "agentr": agentr_core.__version__, **plugins}


def world_versions(worlds: Worlds) -> dict[str, str]:
    """Which versions the environments themselves say that they are: tasks of one are not those of another."""
    return {f"environment '{name}' in version": world.environment.version for name, world in worlds.items()}


def check_worker(wanted: Mapping[str, str], here: Mapping[str, str]) -> None:
    """:class:`~agentr_core.errors.UsageError` where a worker would not do what the run would."""
    other = [
        f"{name} {here.get(name, 'none')} and the run {version}"
        for name, version in wanted.items()
        if here.get(name) != version
    ]
    if other:
        raise UsageError(
            f"a worker on {platform.node()} (process {os.getpid()}) has {'; '.join(other)}: "
            "install the same versions on every machine"
        )


def check_versions(store: Store, row: RunRow, config: RunConfig, registry: Registry) -> None:
    """Raise :class:`~agentr_core.errors.ResumeError` where a plugin or the environment has another version by now."""
    stored = {(plugin.kind, plugin.name): plugin for plugin in store.runs.plugins(row.id)}
    now = provenance(config, registry)
    changed = [told for plugin in now if (told := _changed(stored.get((plugin.kind, plugin.name)), plugin))]
    if changed:
        raise ResumeError(f"run {row.short} was begun with {'; '.join(changed)}, or begin a new run")
    for chosen in config.env:
        if not store.runs.env_versions(row.id, chosen.name):
            continue
        environment: AnyEnvironment = registry.create("env", chosen.name, chosen.options)
        try:
            check_environment(store, row, chosen.name, environment)
        finally:
            with closing(environment):
                environment.close()


def check_environment(store: Store, row: RunRow, name: str, environment: AnyEnvironment) -> None:
    """Raise :class:`~agentr_core.errors.ResumeError` where the run's tasks are those of another version."""
    stored, now = store.runs.env_versions(row.id, name), environment.version
    if stored and now not in stored:
        raise ResumeError(
            f"run {row.short} was played in version '{', '.join(stored)}' of the environment '{name}', and here it is "
            f"'{now}': what it has would not be true there; install the stored version, or begin a new run"
        )


def _changed(stored: PluginRow | None, now: PluginRow) -> str | None:
    """What differs, and what to do; None where nothing does, or nobody knows."""
    if stored is None or IN_PROCESS in (stored.distribution, now.distribution):
        return None
    if stored.version == now.version or _unknown(stored.version) or _unknown(now.version):
        return None
    what = f"{NOUNS[now.kind]} '{now.name}'"  # type: ignore[index]
    if _is_file(stored) or _is_file(now):
        return (
            f"{what} as it was in '{stored.distribution}' (content {stored.version}), and now it is {now.version} in "
            f"'{now.distribution}': put the file back as it was"
        )
    return (
        f"{what} of {stored.distribution} {stored.version}, and here it is of {now.distribution} {now.version}: "
        f"pip install '{stored.distribution}=={stored.version}'"
    )


def _unknown(version: str) -> bool:
    """True for a version that says nothing: no tag was found, or the code is that of a checkout."""
    public, _, local = version.partition("+")
    return public in _UNKNOWN or "unknown" in local or ".dev" in public


def _is_file(plugin: PluginRow) -> bool:
    return Path(plugin.distribution).suffix == ".py"
