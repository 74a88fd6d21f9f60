from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agentr_core.store import Store, canonical_dump, open_store


def finish(process: subprocess.Popen[bytes]) -> str:
    out, error = process.communicate()
    assert process.returncode == 0, error.decode()
    return out.decode()


def test_eight_processes_open_a_new_file_at_once(path: Path, spawn: Any) -> None:
    for process in [spawn("write", path, 1) for _ in range(8)]:
        finish(process)
    with open_store(path) as store:
        assert len(store.runs.select()) == 8


def test_processes_that_read_and_write_at_once_wait_for_each_other(path: Path, spawn: Any) -> None:
    for process in [spawn("write", path, 40) for _ in range(4)]:
        finish(process)
    with open_store(path) as store:
        seen = sorted(run.config["known"] for run in store.runs.select())
    assert seen == list(range(160))  # each transaction saw all that were committed before it


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, worker: ModuleType) -> list[str]:
    """The dump of a search that nothing interrupted."""
    with open_store(tmp_path_factory.mktemp("straight") / "agentr.db") as store:
        worker.search(store)
        return list(canonical_dump(store))


def assert_consistent(store: Store) -> None:
    assert store.connection.all("PRAGMA integrity_check")[0][0] == "ok"
    assert store.connection.all("PRAGMA foreign_key_check") == []
    for row in store.trees.select():
        assert store.connection.all("SELECT count(*) FROM nodes WHERE tree_id = ?", (row.id,))[0][0] == row.n_nodes
        if row.n_nodes:
            tree = store.trees.load(row.id)
            assert (len(tree.nodes), tree.simulations) == (row.n_nodes, row.simulations)
            assert row.n_nodes == 1 + 8 * row.simulations  # whole simulations only
            assert tree.root.visits == len(tree.nodes) - 1
            for node in tree.nodes[1:]:
                assert node.visits == 1 + sum(child.visits for child in node.children)


@pytest.mark.parametrize("moment", range(8))
def test_a_killed_search_leaves_whole_simulations_and_is_resumed_to_the_same_rows(
    path: Path, spawn: Any, worker: ModuleType, straight: list[str], moment: int
) -> None:
    statements = random.Random(moment).randint(1, 60)
    process = spawn("search", path)
    assert process.stdout is not None
    process.stdout.read(statements)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    with open_store(path) as store:
        assert_consistent(store)
        assert not any(store.runs.is_alive(run) for run in store.runs.select())
        worker.search(store)
        assert_consistent(store)
        assert list(canonical_dump(store)) == straight


def test_a_killed_writer_in_the_middle_of_a_transaction_leaves_nothing_of_it(path: Path, worker: ModuleType) -> None:
    """The process ends between the two statements that make up a simulation."""
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
import worker
from agentr_core.store import open_store
store = open_store({str(path)!r})
run = store.runs.create("search", {{"seed": 7}}, seed=7)
with store.transaction():
    worker.search(store, n_trees=1)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    with open_store(path) as store:
        assert len(store.runs.select()) == 1
        assert store.trees.select() == []
        assert_consistent(store)


def test_two_hash_seeds_write_the_same_rows(tmp_path: Path, spawn: Any, straight: list[str]) -> None:
    dumps = [
        finish(spawn("dump", tmp_path / f"{seed}.db", env={**os.environ, "PYTHONHASHSEED": seed}))
        for seed in ("0", "12345")
    ]
    assert dumps[0] == dumps[1]
    assert dumps[0].splitlines() == straight
