"""A real run with a tree of some 700 nodes, and screens that show it.

``AGENTR_SCREENSHOTS`` names a folder for a picture of every page, in both themes and widths.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Screen, screens
from learning import write_model
from scripted_runs import environment

import agentr_core
from agentr_core.runs import start_and_resume

#: As the command line keeps them.
SOURCES = {"iterations": "--iterations", "searcher.simulations": "run.toml", "critic": "default"}


@pytest.fixture(scope="session")
def run_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two iterations of a policy that learns, a large tree in each, and two critics over both."""
    folder = tmp_path_factory.mktemp("pages")
    db = folder / "agentr.db"
    config = agentr_core.configure(
        **{
            "env": "textcraft", "policy": "learning:Learner", "trainer": "learning:Halver", "critic": "oracle",
            "learning:Learner": {"model": str(write_model(folder / "base", 0.5))}, "iterations": 2, "seed": 5,
            "textcraft": {"world": "synthetic", "depth": 3, "max_steps": 14},
            "mcts": {"simulations": 60, "samples": 4, "depth": 12}, "search": {"tasks": 1},
            "evaluate": {"tasks": 6, "max_turns": 6, "revision_turns": 6},
        }
    )  # fmt: skip
    start_and_resume.run(config, db=db, name="first", sources=SOURCES)
    again = [sys.executable, "-m", "agentr_core", "revise", "--run", "first", "--critic", "last", "--db", str(db)]
    subprocess.run(again, check=True, capture_output=True, env=environment(PYTHONPATH=os.pathsep.join(sys.path)))
    return db


@pytest.fixture(scope="module")
def browsing(run_db: Path) -> Iterator[Any]:
    with screens(run_db) as made:
        yield made


@pytest.fixture
def screen(browsing: Any) -> Iterator[Screen]:
    """A page of its own, whose console must have been silent and which must have asked nobody else."""
    made = browsing()
    yield made
    made.page.close()
    assert made.said == []


@pytest.fixture
def key(run_db: Path) -> str:
    """The run's key, as addresses have it."""
    with sqlite3.connect(run_db) as connection:
        found: str = connection.execute("SELECT key FROM runs WHERE name = 'first'").fetchone()[0]
    return found
