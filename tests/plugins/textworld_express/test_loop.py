"""The whole loop on the real games, without a model: search, a critic, verified splices, a dataset."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds_loop import one_iteration


@pytest.mark.slow
@pytest.mark.parametrize("critic", ["value", "oracle"])
def test_search_revise_and_a_dataset(java: str, cache: str, tmp_path: Path, critic: str) -> None:
    made, dataset = one_iteration(
        tmp_path / "agentr.db",
        env="textworld_express",
        policy="flawed",
        critic=critic,
        textworld_express={"game": "sorting,peckingorder,mapreader", "cache": cache, "max_steps": 20},
        mcts={"simulations": 2, "depth": 16},
        flawed={"rate": 0.4},
        search={"tasks": 3},
        evaluate={"tasks": 2, "revision_tasks": 1},
    )
    assert made["good"] > 0 and {example.kind for example in dataset.examples} == {"good", "revision"}
