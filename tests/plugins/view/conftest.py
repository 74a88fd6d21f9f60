"""One small run of several critics, a dataset and two evaluations, made once; and a viewer of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from viewing import HOSTILE, Viewed, Visitor, entered

import agentr_core
from agentr_core import Example, Message, RunConfig, Store, open_store


def small(**changes: object) -> RunConfig:
    return agentr_core.configure(
        **{
            "env": "textcraft", "policy": "flawed", "trainer": "none", "critic": "oracle", "iterations": 1, "seed": 5,
            "textcraft": {"world": "synthetic", "depth": 3, "max_steps": 14}, "flawed": {"rate": 0.5},
            "mcts": {"simulations": 4, "samples": 4, "depth": 9}, "search": {"tasks": 8},
            "evaluate": {"tasks": 6, "max_turns": 9, "revision_turns": 9}, **changes,
        }
    )  # fmt: skip


@pytest.fixture(scope="session")
def viewed_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs over the same tasks, by different critics; and a dataset of hostile text."""
    path = tmp_path_factory.mktemp("view") / "agentr.db"
    agentr_core.run(small(), db=path, name="first")
    agentr_core.run(small(critic="random", flawed={"rate": 0.3}), db=path, name="second")
    with open_store(path) as store:
        _hostile_dataset(store)
    return path


def _hostile_dataset(store: Store) -> None:
    turns = tuple(Message("assistant" if n % 2 else "user", text, bool(n % 2)) for n, text in enumerate(HOSTILE))
    examples = [Example(turns, "general", {"row": 0}), Example(turns[:2], "good", {"row": 1})]
    run = store.runs.find("second")
    store.datasets.save(run.id, 1, HOSTILE[0], examples, recipe="imported", content_hash="0" * 64)


@pytest.fixture(scope="session")
def viewed(viewed_db: Path) -> Iterator[Viewed]:
    with Viewed(viewed_db) as running:
        yield running


@pytest.fixture
def visitor(viewed: Viewed) -> Visitor:
    """A browser that has opened a link of its own."""
    return entered(viewed)


@pytest.fixture
def store(viewed_db: Path) -> Iterator[Store]:
    with open_store(viewed_db, read_only=True) as opened:
        yield opened
