"""A stage that is interrupted does, when it goes on, what is missing: the store is that of a straight run."""

from __future__ import annotations

from typing import Any

import pytest
from interrupting import COUNTS, interrupt

from agentr_core.runs.start_and_resume import _simulations, resume
from agentr_core.store import canonical_dump


def dump(project: Any) -> list[str]:
    with project.store() as store:
        return list(canonical_dump(store))


def test_many_half_grown_trees_are_told_by_their_range() -> None:
    assert _simulations([3, 5, 1]) == "simulations 3, 5, 1"
    assert _simulations([4, 3] * 32) == "simulations 3 to 4"


@pytest.mark.parametrize(("stage", "after"), [("search", 3), ("revise", 4), ("evaluate", 5), ("evaluate", 14)])
def test_interrupted_stage(empty, tmp_path, settings, stage: str, after: int) -> None:
    stages, config = ("search", "revise", "evaluate"), settings(concurrency=2)
    straight = type(empty)(tmp_path / "straight.db")
    straight.run(config, *stages)

    asked = interrupt(empty, config, stages, stage, after)
    with empty.store() as store:
        assert store.runs.find("last").status == "interrupted"
        assert after <= asked < store.connection.one(f"SELECT COUNT(*) FROM {COUNTS[stage]}")[0] + 3
    assert dump(empty) != dump(straight)
    resume("last", db=empty.path)
    assert dump(empty) == dump(straight)
