"""``agentr view``: the store in a browser, read-only. This module only registers the command."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import CommandSpec, hookimpl


@hookimpl
def agentr_register_commands() -> Iterable[CommandSpec]:
    """Register ``agentr view``."""
    help_ = "Look at runs, trees, revisions and evaluations in a browser."
    return [CommandSpec("view", "agentr_view.command:view", help=help_, for_run="Look at all of it")]
