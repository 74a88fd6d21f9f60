"""``agentr serve``: environments over HTTP, as AgentGym's or OpenEnv's. This module only registers the command."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import CommandSpec, hookimpl


@hookimpl
def agentr_register_commands() -> Iterable[CommandSpec]:
    """Register ``agentr serve``."""
    help_ = "Serve an environment to others, as AgentGym or OpenEnv do."
    return [CommandSpec("serve", "agentr_serve.command:serve", help=help_)]
