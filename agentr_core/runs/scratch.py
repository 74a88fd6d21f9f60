"""Work of which nothing is kept: measurements, and what a notebook tries out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentr_core.process.interrupt import StopSignal
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import registry as default_registry
from agentr_core.run_context import RunContext
from agentr_core.runs.provenance import check_plugins
from agentr_core.runs.start_and_resume import set_up
from agentr_core.settings.run_config import RunConfig
from agentr_core.store import open_store


@contextmanager
def scratch_run(config: RunConfig, *, progress: Progress | None = None) -> Iterator[RunContext]:
    """A run over a store of its own, which is thrown away on leaving; it says nothing without a ``progress``.

    with scratch_run(configure(policy="flawed")) as context:
        asyncio.run(grow_trees(context, context.make_policy(), context.make_searcher(), 1))

    Raises at once where a plugin does not exist, lacks a package, or has wrong options. Ctrl-C lets the work at hand
    finish and then raises :class:`~agentr_core.Interrupted`.
    """
    registry, progress = default_registry(), progress or Progress(quiet=True)
    check_plugins(config, registry)
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "scratch.db") as store:
        row = store.runs.create("scratch", config.model_dump(mode="json"), seed=config.seed)
        advice = "it begins anew when it is asked for again"
        with StopSignal() as stopped, set_up(store, row, config, progress, registry, stopped, advice) as context:
            yield context
