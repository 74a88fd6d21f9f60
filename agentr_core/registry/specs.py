"""What a plugin registers: data about its parts, never imported classes.

A plugin module is light: it imports ``agentr_core.hookimpl`` and ``agentr_core.PluginSpec`` and returns data. The
classes it names are imported when they are first used.

    from agentr_core import PluginSpec, hookimpl

    @hookimpl
    def agentr_register_environments():
        return [PluginSpec(kind="env", name="warehouse", target="warehouse.env:Warehouse")]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pluggy

PROJECT = "agentr"


hookimpl = pluggy.HookimplMarker(PROJECT)


Kind = Literal["env", "policy", "searcher", "critic", "trainer", "executor"]


KINDS: tuple[Kind, ...] = ("env", "policy", "searcher", "critic", "trainer", "executor")


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

    ``target``: ``"module:command"``, a click command. ``for_run``: what ``agentr NAME RUN`` is good for, in two or
    three words; a run that has ended then names the command.
    """

    name: str
    target: str
    help: str = ""
    for_run: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that ``agentr doctor`` looked at. ``missing`` is a pity, ``broken`` must be mended; ``advice``: how."""

    what: str
    state: Literal["ok", "missing", "broken"]
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model with a short name. ``target``: ``"module:function"``, which returns its folder and makes it where needed.

    The function takes no arguments; it raises :class:`~agentr_core.errors.AgentrError` where the model cannot be had.
    ``here``, in the same form, returns the folder where it lies already and makes nothing; None where it is not here.
    """

    name: str
    target: str
    here: str = ""
