"""One real run with three critics over its trees, and a store full of hostile text, each made once."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from hostile import fill

import agentr_core
from agentr_core.cli.main import main
from agentr_core.process.progress import Progress
from agentr_core.runs.single_stages import revise_again
from agentr_core.store import Store, open_store

QUIET = Progress(quiet=True)


def configure(**changes: Any) -> agentr_core.RunConfig:
    settings: dict[str, Any] = {
        "env": "textcraft", "policy": "flawed", "trainer": "none", "critic": "actor", "iterations": 2, "seed": 3,
        "textcraft": {"world": "synthetic", "depth": 3, "max_steps": 10}, "flawed": {"rate": 0.5},
        "mcts": {"simulations": 4, "depth": 8, "samples": 3}, "search": {"tasks": 4},
        "evaluate": {"tasks": 4, "max_turns": 8, "revision_turns": 8},
    }  # fmt: skip
    return agentr_core.configure(**{**settings, **changes})


@pytest.fixture(scope="session")
def db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs that differ in the seed; of the first two more critics, and losses as a trainer tells them."""
    path = tmp_path_factory.mktemp("report") / "agentr.db"
    for seed in range(3):
        agentr_core.run(configure(seed=seed, iterations=2 if seed == 0 else 1), db=path, name=f"seed-{seed}")
    for critic in ("value", "oracle"):
        revise_again("seed-0", configure(critic=critic), db=path, iteration=1, progress=QUIET)
    with open_store(path) as store:
        run = store.runs.find("seed-0")
        for step in range(1, 31):
            store.runs.save_metrics(run.id, 1, "train", step, {"loss": 1 / step, "grad_norm": 1.0})
    return path


@pytest.fixture(scope="session")
def hostile_db(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose every name and text was written by somebody who means harm."""
    path = tmp_path_factory.mktemp("hostile") / "agentr.db"
    fill(path)
    return path


@pytest.fixture
def store(db: Path) -> Iterator[Store]:
    with open_store(db, read_only=True) as store:
        yield store


@pytest.fixture
def changed(db: Path, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the store with some SQL done to it: what a run that ended otherwise would have left."""

    def change(*statements: str) -> Path:
        path = tmp_path / "agentr.db"
        with closing(sqlite3.connect(db)) as source, closing(sqlite3.connect(path)) as copy:
            source.backup(copy)
            for statement in statements:
                copy.execute(statement)
            copy.commit()
        return path

    return change


@pytest.fixture
def agentr(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    def call(*command: object) -> tuple[int, str, str]:
        code = main([str(word) for word in command])
        return (code, *capsys.readouterr())

    return call


@pytest.fixture
def chromium(tmp_path: Path) -> Callable[..., str]:
    """A real browser, headless: flags and a file; what it prints."""
    program = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := which(name))), None
    )
    if program is None:
        pytest.skip("no Chromium is installed (apt-get install chromium)")

    def open_page(*flags: str | Path) -> str:
        *options, page = flags
        fixed = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars")
        profile = f"--user-data-dir={tmp_path / 'profile'}"
        command = [program, *fixed, profile, *map(str, options), Path(page).as_uri()]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout

    return open_page
