"""The program ``agentr``: one file a command group. Nothing here computes.

Imports anything of agentr but ``testing``, and most of it only when a command runs. The names below are for authors of
commands: the settings of a run as flags, and how ``agentr`` prints.
"""

from __future__ import annotations

from agentr_core.cli.options import json_option, resolve_settings, run_options
from agentr_core.cli.output import print_json, print_table, say

__all__ = ["json_option", "print_json", "print_table", "resolve_settings", "run_options", "say"]
