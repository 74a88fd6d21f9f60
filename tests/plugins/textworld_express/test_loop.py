"""The whole loop on the real games, without a model: search, value critic, verified splices, a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

import agentr_core
from agentr_core import open_store


@pytest.mark.slow
@pytest.mark.parametrize("critic", ["value", "oracle"])
def test_search_revise_and_a_dataset(java: str, cache: str, tmp_path: Path, critic: str) -> None:
    config = agentr_core.configure(
        env="textworld_express",
        policy="flawed",
        critic=critic,
        trainer="none",
        iterations=1,
        textworld_express={"game": "sorting,peckingorder,mapreader", "cache": cache, "max_steps": 20},
        mcts={"simulations": 3, "depth": 16},
        flawed={"rate": 0.4},
        search={"tasks": 3},
        evaluate={"tasks": 2, "revision_tasks": 1},
    )
    outcome = agentr_core.run(config, db=tmp_path / "agentr.db")
    assert outcome.failed == 0
    with open_store(tmp_path / "agentr.db", read_only=True) as store:
        [run] = store.runs.select()
        trees = store.trees.select(run.id)
        assert [tree.status for tree in trees] == ["done"] * 3
        assert all(tree.stats["environment_mismatches"] == 0 for tree in trees)
        assert max(tree.best_reward or 0 for tree in trees) == 1.0
        stages = {row.stage: row for row in store.runs.stages(run.id)}
        made = stages["revise"].metrics
        assert made["verified"] == made["revisions"] > 0 and made["good"] > 0
        assert store.datasets.select(run.id)
