"""The Python face: a few functions, as small as the command line.

env = agentr_core.create("env", "textcraft", rules="agentgym")
store = agentr_core.open_store("agentr.db")
outcome = agentr_core.run(config)
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentr_core.errors import UsageError
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


def plugin_names(kind: Kind) -> list[str]:
    """The names of the installed plugins of a kind, sorted: ``plugin_names("env")``."""
    return registry().names(kind)


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
    from agentr_core.settings.layer import Layer
    from agentr_core.settings.layers import resolve

    return resolve([Layer("configure", {"preset": preset, **settings})]).config


def run(
    config: RunConfig, *, db: str | Path = "agentr.db", out: str | Path | None = None, name: str | None = None
) -> RunOutcome:
    """Do what ``agentr run`` does with the same configuration, without its talk, and return how it ended.

    ``db`` is the project's database, ``out`` the folder of the checkpoints, ``name`` what to call the run. Raises
    :class:`~agentr_core.UsageError` where an event loop is running, as in a notebook: await :func:`run_async` there.
    """
    if _in_event_loop():
        raise UsageError(
            "agentr_core.run waits for the whole run, and an event loop is running here (as in a notebook); write: "
            "await agentr_core.run_async(config)"
        )
    from agentr_core.runs.start_and_resume import run as run_

    return run_(config, db=db, out=out, name=name)


async def run_async(
    config: RunConfig, *, db: str | Path = "agentr.db", out: str | Path | None = None, name: str | None = None
) -> RunOutcome:
    """As :func:`run`, for notebooks and other programs with an event loop, which goes on meanwhile.

    The run has a thread and a loop of its own. Cancelling stops it as Ctrl-C stops ``agentr run``: the work at hand is
    finished and kept, and ``agentr resume`` goes on with it; cancelled twice, it is not waited for.
    """
    from agentr_core.process.interrupt import stoppable
    from agentr_core.runs.start_and_resume import run as run_

    with stoppable() as stop:
        work = asyncio.create_task(asyncio.to_thread(run_, config, db=db, out=out, name=name))
        try:
            return await asyncio.shield(work)
        except BaseException:
            stop.set()
            await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # looked at, so that asyncio does not report it: what is raised here says more
            raise


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
