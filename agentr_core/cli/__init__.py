"""The program ``agentr``: one file a command group. Nothing here computes.

Imports anything of agentr but ``testing``, and most of it only when a command runs. The names below are for authors of
commands: the settings of a run as flags, and how ``agentr`` prints. Each is loaded when it is first used, so that the
help of the program stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentr_core.cli.options import json_option as json_option
    from agentr_core.cli.options import resolve_settings as resolve_settings
    from agentr_core.cli.options import run_options as run_options
    from agentr_core.cli.output import print_json as print_json
    from agentr_core.cli.output import print_table as print_table
    from agentr_core.cli.output import say as say

_MODULE_OF = {
    **dict.fromkeys(("json_option", "resolve_settings", "run_options"), "agentr_core.cli.options"),
    **dict.fromkeys(("print_json", "print_table", "say"), "agentr_core.cli.output"),
}

__all__ = ["json_option", "print_json", "print_table", "resolve_settings", "run_options", "say"]


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'agentr_core.cli' has no attribute '{name}'")
