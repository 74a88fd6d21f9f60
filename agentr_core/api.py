"""The Python face: four functions, as small as the command line.

env = agentr_core.create("env", "textcraft", rules="agentgym")
store = agentr_core.open_store("agentr.db")
outcome = agentr_core.run(config)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentr_core.registry.lookup import registry
from agentr_core.registry.specs import Kind

if TYPE_CHECKING:
    from agentr_core.runs.start_and_resume import RunOutcome
    from agentr_core.settings.run_config import RunConfig
    from agentr_core.store import Store


def create(kind: Kind, name: str, /, **config: Any) -> Any:
    """Make any plugin: ``create("critic", "last")``, ``create("env", "my_module:MyEnvironment", max_steps=5)``.

    Raises :class:`~agentr_core.UnknownPluginError`, :class:`~agentr_core.ConfigError` or
    :class:`~agentr_core.MissingDependencyError`; each says what to do.
    """
    return registry().create(kind, name, config, prefix=f"{name}: ")


def open_store(path: str | Path = "agentr.db", *, read_only: bool = False) -> Store:
    """Open a project's database; unless ``read_only``, it is made or brought up to date where needed.

    Raises :class:`~agentr_core.StoreError` for a file that is not ours, newer than this version, or cannot be used.
    """
    from agentr_core.store import open_store as open_

    return open_(path, read_only=read_only)


def configure(preset: str = "quick", **settings: Any) -> RunConfig:
    """The configuration of a run, in the shape of a ``run.toml``: ``configure(iterations=1, mcts={"samples": 2})``.

    What is not given comes from the preset. Raises :class:`~agentr_core.ConfigError` for a setting that is unknown or
    out of range.
    """
    from agentr_core.settings.layers import Layer, resolve

    return resolve([Layer("configure", {"preset": preset, **settings})]).config


def run(
    config: RunConfig, *, db: str | Path = "agentr.db", out: str | Path | None = None, name: str | None = None
) -> RunOutcome:
    """Do what ``agentr run`` does with the same configuration, without its talk, and return how it ended.

    ``db`` is the project's database, ``out`` the folder of the checkpoints, ``name`` what to call the run.
    """
    from agentr_core.runs.start_and_resume import run as run_

    return run_(config, db=db, out=out, name=name)
