"""Settings of the executor ``processes``."""

from __future__ import annotations

from pydantic import Field

from agentr_core import PluginConfig


class ProcessesConfig(PluginConfig):
    """How many processes there are, and what each has for itself."""

    workers: int | None = Field(default=None, ge=1, description="worker processes; unless given, one for each core")
    threads: int | None = Field(
        default=None, ge=1, description="threads of each worker's arithmetic; unless given, its share of the cores"
    )
