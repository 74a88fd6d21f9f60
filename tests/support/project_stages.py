"""One scripted search over a generated TextCraft world, stored once; each test works on a copy of the file."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import agentr_core
from agentr_core import RunConfig
from agentr_core.process.progress import Progress
from agentr_core.runs.single_stages import revise_again
from agentr_core.runs.start_and_resume import run
from agentr_core.store import RevisionSetRow, Store, open_store

WORLD = {"world": "synthetic", "depth": 3, "max_steps": 14}


def configure(**changes: Any) -> RunConfig:
    settings: dict[str, Any] = {
        "env": "textcraft", "policy": "flawed", "trainer": "none", "critic": "actor", "iterations": 1, "seed": 5,
        "textcraft": WORLD, "flawed": {"rate": 0.5}, "mcts": {"simulations": 4, "samples": 4, "depth": 9},
        "search": {"tasks": 10}, "evaluate": {"tasks": 12, "max_turns": 9, "revision_turns": 9},
    }  # fmt: skip
    return agentr_core.configure(**{**settings, **changes})


class Project:
    """A database, and what the stages are asked to do with it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def run(self, config: RunConfig, *stages: Any, name: str | None = None) -> Any:
        return run(config, db=self.path, stages=stages, name=name, progress=Progress(quiet=True))

    def revise(self, config: RunConfig, reference: str = "last") -> Any:
        (metrics,) = revise_again(reference, config, db=self.path, iteration=None, progress=Progress(quiet=True))
        return metrics

    def store(self) -> Store:
        return open_store(self.path, read_only=True)

    def sets(self, store: Store, reference: str = "last") -> Sequence[RevisionSetRow]:
        return store.revisions.select(store.runs.find(reference).id)


@pytest.fixture(scope="session")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("searched") / "agentr.db"
    Project(path).run(configure(), "search")
    return path


@pytest.fixture
def project(searched: Path, tmp_path: Path) -> Project:
    return Project(Path(shutil.copy(searched, tmp_path / "agentr.db")))


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    return Project(tmp_path / "agentr.db")


@pytest.fixture
def settings() -> Callable[..., RunConfig]:
    return configure
