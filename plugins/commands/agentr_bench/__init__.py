"""``agentr bench``: how busy a search keeps the model at hand. This module only registers the command."""

from __future__ import annotations

from collections.abc import Iterable

from agentr_core import CommandSpec, hookimpl


@hookimpl
def agentr_register_commands() -> Iterable[CommandSpec]:
    """Register ``agentr bench``."""
    help_ = "Measure a search against what the model can do."
    return [CommandSpec("bench", "agentr_bench.command:bench", help=help_)]
