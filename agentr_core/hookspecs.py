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
from dataclasses import dataclass
from typing import Literal

import pluggy

PROJECT = "agentr"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

Kind = Literal["env", "policy", "searcher", "critic", "trainer"]
KINDS: tuple[Kind, ...] = ("env", "policy", "searcher", "critic", "trainer")


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """What a plugin registers: data, never an imported class.

    ``target``: ``"module:Class"``, imported when the plugin is created. ``summary``: one line for listings.
    ``config``: ``"module:Class"`` of the configuration where it can be imported without the target (else the
    target's ``config_class`` is used). ``requires``: import names that must be there. ``extra``: the extra of the
    plugin's distribution that installs them, ``advice``: what else to say where they are missing. ``version``: of the
    plugin's behaviour; stored with every run.
    """

    kind: Kind
    name: str
    target: str
    summary: str = ""
    config: str | None = None
    requires: tuple[str, ...] = ()
    extra: str | None = None
    version: int = 1
    advice: str = ""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A command of a plugin: ``agentr NAME``, or ``agentr data get NAME`` where it fetches data.

    ``target``: ``"module:command"``, a click command.
    """

    name: str
    target: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model with a short name. ``target``: ``"module:function"``, which returns its folder and makes it where needed.

    The function takes no arguments; it raises :class:`~agentr_core.errors.AgentrError` where the model cannot be had.
    """

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A run begins or goes on. ``config`` is the resolved configuration."""

    run: str
    db: str
    config: Mapping[str, object]
    resumed: bool


@dataclass(frozen=True, slots=True)
class TreeFinished:
    """One tree is complete (or failed: then ``error`` says why)."""

    run: str
    tree: int
    task: str
    iteration: int
    nodes: int
    best_reward: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RevisionsBuilt:
    """The revision stage of an iteration is complete."""

    run: str
    iteration: int
    critic: str
    pairs: int
    revisions: int
    good: int


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """A trainer has finished."""

    run: str
    iteration: int
    path: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluation is complete. ``metrics`` are those of the closing table."""

    run: str
    iteration: int
    split: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class RunFinished:
    """A run has ended. ``status`` is ``done``, ``failed`` or ``interrupted``."""

    run: str
    status: str


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
