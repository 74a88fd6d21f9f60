"""Runs that are told to stop in the middle of a stage."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from agentr_core.errors import Interrupted
from agentr_core.process.progress import Progress
from agentr_core.registry.lookup import Registry
from agentr_core.runs.iterations import RunLoop
from agentr_core.runs.start_and_resume import working
from agentr_core.store import open_store

COUNTS = {"search": "trees WHERE status = 'done'", "revise": "revised_trees", "evaluate": "eval_results"}


def interrupt(project: Any, config: Any, stages: Any, stage: str, after: int) -> int:
    """Start a run and tell it to stop once so many rows of one stage are there; returns how many there then were."""
    stored = {**config.model_dump(mode="json"), "stages": list(stages), "out": None}
    with open_store(project.path) as store:
        row = store.runs.create("run", stored, config_hash=config.hash, name=None, seed=config.seed)

        def count() -> int:
            return int(store.connection.one(f"SELECT COUNT(*) FROM {COUNTS[stage]}")[0])

        with (
            pytest.raises(Interrupted),
            working(store, row, config, progress=Progress(quiet=True), registry=Registry()) as bench,
        ):
            told = replace(bench, stopped=lambda: count() >= after)
            asyncio.run(RunLoop(told, project.path.parent / "out", stages).work())
        return count()
