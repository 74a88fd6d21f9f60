"""The hooks a plugin module may implement, and the events that observers get.

A plugin module is light: it imports ``agentr_core.hookimpl`` and ``agentr_core.PluginSpec`` and returns data. The
classes it names are imported when they are first used.

    from agentr_core import PluginSpec, hookimpl

    @hookimpl
    def agentr_register_environments():
        return [PluginSpec(kind="env", name="warehouse", target="warehouse.env:Warehouse")]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

from agentr_core.registry.events import (
    CheckpointSaved,
    Evaluated,
    RevisionsBuilt,
    RunFinished,
    RunStarted,
    TreeFinished,
)
from agentr_core.registry.specs import PROJECT, CommandSpec, Finding, ModelSpec, PluginSpec

if TYPE_CHECKING:
    from agentr_core.process.machine import Machine

hookspec = pluggy.HookspecMarker(PROJECT)


@hookspec
def agentr_register_environments() -> Iterable[PluginSpec]:
    """Return the specs of the environments this plugin brings."""
    return ()


@hookspec
def agentr_register_policies() -> Iterable[PluginSpec]:
    """Return the specs of the policies this plugin brings."""
    return ()


@hookspec
def agentr_register_searchers() -> Iterable[PluginSpec]:
    """Return the specs of the searchers this plugin brings."""
    return ()


@hookspec
def agentr_register_critics() -> Iterable[PluginSpec]:
    """Return the specs of the critics this plugin brings."""
    return ()


@hookspec
def agentr_register_trainers() -> Iterable[PluginSpec]:
    """Return the specs of the trainers this plugin brings."""
    return ()


@hookspec
def agentr_register_executors() -> Iterable[PluginSpec]:
    """Return the specs of the executors this plugin brings."""
    return ()


@hookspec
def agentr_register_commands() -> Iterable[CommandSpec]:
    """Return the commands this plugin adds to ``agentr``."""
    return ()


@hookspec
def agentr_register_data() -> Iterable[CommandSpec]:
    """Return the data sets that this plugin can fetch, each as the command behind ``agentr data get NAME``."""
    return ()


@hookspec
def agentr_register_models() -> Iterable[ModelSpec]:
    """Return the models that this plugin gives short names, for policies that load models."""
    return ()


@hookspec
def agentr_findings(machine: Machine, settings: Mapping[str, Mapping[str, Any]]) -> Iterable[Finding]:
    """Return what this plugin has to say in ``agentr doctor`` of the machine and its packages, without importing them.

    ``settings``: by the name of each plugin that a run here would use, what is set for it.
    """
    return ()


@hookspec
def agentr_run_started(event: RunStarted) -> None:
    """Told when a run begins or is resumed."""


@hookspec
def agentr_tree_finished(event: TreeFinished) -> None:
    """Told after each tree."""


@hookspec
def agentr_revisions_built(event: RevisionsBuilt) -> None:
    """Told after the revision stage of an iteration."""


@hookspec
def agentr_checkpoint_saved(event: CheckpointSaved) -> None:
    """Told after a trainer has finished."""


@hookspec
def agentr_evaluated(event: Evaluated) -> None:
    """Told after an evaluation."""


@hookspec
def agentr_run_finished(event: RunFinished) -> None:
    """Told when a run ends, however it ends."""
