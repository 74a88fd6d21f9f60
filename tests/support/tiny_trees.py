"""Trees that a small model which ships with agentr has grown, once for all tests that learn from them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core import Checkpoint, RunConfig
from agentr_core.process.progress import Progress
from agentr_core.runs.single_stages import train_again
from agentr_core.runs.start_and_resume import run

#: Trains beside a run: what was made, and its metrics.
TrainOn = Callable[..., tuple[Checkpoint, Mapping[str, float]]]


def configure(**changes: Any) -> RunConfig:
    settings: dict[str, Any] = {
        "env": "textcraft", "policy": "transformers", "trainer": "none", "critic": "value", "iterations": 1, "seed": 5,
        "transformers": {"model": "careless", "dtype": "float32", "device": "cpu"},
        "mcts": {"simulations": 6, "samples": 4, "depth": 9, "max_tokens": 48},
        "search": {"tasks": 3}, "evaluate": {"tasks": 1},
    }  # fmt: skip
    return agentr_core.configure(**{**settings, **changes})


@pytest.fixture(scope="session")
def tiny_trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with three trees by ``careless``, whose attempts come to different ends, revised."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("tiny_trees")
    run(configure(), db=folder / "agentr.db", stages=("search", "revise"), progress=Progress(quiet=True))
    return folder


@pytest.fixture
def train_on(tiny_trees: Path, tmp_path: Path) -> TrainOn:
    """Trains on those trees with a trainer and its options."""
    shutil.copy(tiny_trees / "agentr.db", tmp_path / "agentr.db")

    def train(trainer: str, options: Mapping[str, Any], **more: Any) -> tuple[Checkpoint, Mapping[str, float]]:
        config = configure(trainer=trainer, **{trainer: dict(options)}, **more)
        db, out = tmp_path / "agentr.db", tmp_path / "out"
        metrics = train_again("last", config, db=db, iteration=1, out=out, progress=Progress(quiet=True))
        with agentr_core.open_store(db) as store:
            made = store.checkpoints.select()[-1]
        return Checkpoint(model=made.path, base_model=made.base_model, step=made.step), metrics

    return train
