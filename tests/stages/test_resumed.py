"""A stage that is interrupted does, when it goes on, what is missing: the store is that of a straight run."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from agentr_core.errors import Interrupted
from agentr_core.loop import RunLoop
from agentr_core.progress import Progress
from agentr_core.registry import Registry
from agentr_core.runner import resume, working
from agentr_core.store import canonical_dump, open_store

COUNTS = {"search": "trees WHERE status = 'done'", "revise": "revised_trees", "evaluate": "eval_results"}


def dump(project: Any) -> list[str]:
    with project.store() as store:
        return list(canonical_dump(store))


@pytest.mark.parametrize(("stage", "after"), [("search", 3), ("revise", 4), ("evaluate", 5), ("evaluate", 14)])
def test_interrupted_stage(empty, tmp_path, settings, stage: str, after: int) -> None:
    stages, config = ("search", "revise", "evaluate"), settings(concurrency=2)
    straight = type(empty)(tmp_path / "straight.db")
    straight.run(config, *stages)

    asked = interrupt(empty, config, stages, stage, after)
    with empty.store() as store:
        assert store.queries.run("last").status == "interrupted"
        assert after <= asked < store.one(f"SELECT COUNT(*) FROM {COUNTS[stage]}")[0] + 3
    assert dump(empty) != dump(straight)
    resume("last", db=empty.path)
    assert dump(empty) == dump(straight)


def interrupt(project: Any, config: Any, stages: Any, stage: str, after: int) -> int:
    """Start a run and tell it to stop once so many rows of one stage are there; returns how many there then were."""
    stored = {**config.model_dump(mode="json"), "stages": list(stages), "out": None}
    with open_store(project.path) as store:
        row = store.writer.create_run("run", stored, config_hash=config.hash, name=None, seed=config.seed)

        def count() -> int:
            return int(store.one(f"SELECT COUNT(*) FROM {COUNTS[stage]}")[0])

        with (
            pytest.raises(Interrupted),
            working(store, row, config, progress=Progress(quiet=True), registry=Registry()) as bench,
        ):
            told = replace(bench, stopped=lambda: count() >= after)
            asyncio.run(RunLoop(told, project.path.parent / "out", stages).work())
        return count()
