from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from agentr_core.records import Task
from agentr_core.store import Store, TreePlan, open_store

WORKER = Path(__file__).with_name("worker.py")
Spawn = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agentr.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with open_store(path) as store:
        yield store


@pytest.fixture
def tree_id(store: Store) -> int:
    """A planned tree of the run 1, whose task is the first one."""
    run = store.runs.create("run", {}, seed=1)
    ids = store.tasks.save("textcraft", "1", [Task(key="t", split="train", instruction="Craft.")])
    return store.trees.plan(run.id, 1, [TreePlan(ids["t"], 5)], searcher="mcts", searcher_hash="h", model="m")[0].id


@pytest.fixture(scope="session")
def worker() -> ModuleType:
    """The worker program as a module: the same small search in this process."""
    spec = importlib.util.spec_from_file_location("store_worker", WORKER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start the worker program; what still runs at the end of the test is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*args: object, **options: object) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(WORKER), *map(str, args)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)  # type: ignore
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
