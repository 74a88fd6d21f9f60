"""The Python face: three functions, as small as the command line.

env = agentr_core.create("env", "textcraft", rules="agentgym")
store = agentr_core.open_store("agentr.db")
outcome = agentr_core.run(config)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentr_core.hookspecs import Kind
from agentr_core.registry import registry

if TYPE_CHECKING:
    from agentr_core.settings import RunConfig
    from agentr_core.store import Store


def create(kind: Kind, name: str, /, **config: Any) -> Any:
    """Make any plugin: ``create("critic", "last")``, ``create("env", "my_module:MyEnvironment", max_steps=5)``.

    Raises :class:`~agentr_core.UnknownPluginError`, :class:`~agentr_core.ConfigError` or
    :class:`~agentr_core.MissingDependencyError`; each says what to do.
    """
    return registry().create(kind, name, config, prefix=f"{name}: ")


def open_store(path: str | Path = "agentr.db") -> Store:
    """Open a project's database for reading and writing; it is made where there is none.

    Raises :class:`~agentr_core.StoreError` for a file that is not ours, newer than this version, or cannot be used.
    """
    from agentr_core.store import open_store as open_

    return open_(path)


def run(config: RunConfig) -> Any:
    """Do what ``agentr run`` does with the same configuration, and return its outcome."""
    from agentr_core.run import run as run_

    return run_(config)
