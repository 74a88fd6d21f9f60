from __future__ import annotations

import multiprocessing
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentr_core.errors import StoreError, UsageError
from agentr_core.store import Store, open_store, schema
from agentr_core.turns import Message


def test_a_new_file_is_marked_as_ours_and_keeps_a_log(store: Store) -> None:
    raw = sqlite3.connect(store.path)
    assert raw.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert raw.execute("PRAGMA user_version").fetchone() == (schema.SCHEMA_VERSION,)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert store.connection.all("PRAGMA foreign_keys")[0][0] == 1
    assert store.connection.all("PRAGMA synchronous")[0][0] == 1


def test_a_plugin_may_own_tables(store: Store) -> None:
    with store.transaction():
        store.connection.database()["warehouse_stock"].insert({"id": 1, "item": "box"}, pk="id")
    with open_store(store.path) as again:
        assert again.connection.counts()["warehouse_stock"] == 1


def test_a_text_file_is_refused(path: Path) -> None:
    path.write_text("to whom it may concern\n" * 100)
    with pytest.raises(StoreError, match="is not an SQLite database; name another file with --db"):
        open_store(path)
    assert path.read_text().startswith("to whom")


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE customers (id INTEGER)")
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(StoreError, match="is an SQLite database, but not one of agentr"):
            open_store(path, read_only=read_only)
    assert path.read_bytes() == before


def test_a_newer_database_is_refused(path: Path) -> None:
    open_store(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute(f"PRAGMA user_version={schema.SCHEMA_VERSION + 1}")
    newer = schema.SCHEMA_VERSION + 1
    says = rf"written by a newer agentr \(schema {newer}, this one knows {schema.SCHEMA_VERSION}\); upgrade with"
    with pytest.raises(StoreError, match=says):
        open_store(path)


def test_a_damaged_database_is_told_so(path: Path) -> None:
    with open_store(path) as store:
        store.runs.create("run", {"text": "x" * 20_000}, seed=1)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreError, match=r"is damaged .*; restore a backup"), open_store(path) as store:
        store.runs.select()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_and_a_missing_folder_are_told_apart(tmp_path: Path, read_only: bool) -> None:
    with pytest.raises(StoreError, match="is a folder; name a database file"):
        open_store(tmp_path, read_only=read_only)
    with pytest.raises(StoreError, match=r"there is no database|the folder of the database does not exist"):
        open_store(tmp_path / "none" / "agentr.db", read_only=read_only)
    assert list(tmp_path.iterdir()) == []


def test_reading_makes_no_file_and_writes_nothing(path: Path) -> None:
    with pytest.raises(StoreError, match="there is no database at"):
        open_store(path, read_only=True)
    assert not path.exists()
    open_store(path).close()
    with open_store(path, read_only=True) as store, pytest.raises(StoreError, match="opened for reading only"):
        store.runs.create("run", {}, seed=1)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_empty_file_is_not_made_a_database_by_reading(path: Path) -> None:
    path.touch()
    with pytest.raises(StoreError, match=r"is empty, so no database; start a run"):
        open_store(path, read_only=True)
    assert path.stat().st_size == 0 and list(path.parent.iterdir()) == [path]
    open_store(path).close()
    assert path.stat().st_size > 0, "what writes may begin in it"


def test_a_locked_database_is_told_so_and_can_still_be_read(store: Store) -> None:
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open_store(store.path, timeout=0.05) as second:
        with pytest.raises(StoreError, match=r"was locked by another process for 0.05 seconds; try again later"):
            second.runs.create("run", {}, seed=1)
        assert second.runs.select() == []
    other.execute("ROLLBACK")
    store.runs.create("run", {}, seed=1)


def test_a_new_file_that_another_process_holds_is_told_so(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="was locked by another process"):
        open_store(path, timeout=0.05)


def test_the_timeout_comes_from_the_environment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTR_DB_TIMEOUT_SECONDS", "1.5")
    with open_store(path) as store:
        assert store.connection.timeout == 1.5
    monkeypatch.setenv("AGENTR_DB_TIMEOUT_SECONDS", "soon")
    with pytest.raises(UsageError, match="AGENTR_DB_TIMEOUT_SECONDS: must be a number of seconds \\(got soon\\)"):
        open_store(path)


def test_a_full_disk_is_told_so_and_what_was_committed_stays(store: Store) -> None:
    run = store.runs.create("run", {}, seed=1)
    pages = store.connection.all("PRAGMA page_count")[0][0]
    store.connection.all(f"PRAGMA max_page_count={pages + 4}")
    with pytest.raises(StoreError, match=r"the disk is full, so .* free some space and resume the run"):
        store.conversations.save([Message("user", "x" * 100_000)])
    store.connection.all("PRAGMA max_page_count=1000000")
    assert store.runs.select() == [run]
    conversation = store.conversations.save([Message("user", "x" * 100_000)])
    assert store.conversations.get(conversation)[0].content == "x" * 100_000


def test_transactions_nest_and_the_outermost_decides(store: Store) -> None:
    with pytest.raises(RuntimeError), store.transaction():
        store.runs.create("run", {}, seed=1)
        raise RuntimeError
    assert store.runs.select() == []
    with store.transaction():
        store.runs.create("run", {}, seed=1)
        store.runs.create("run", {}, seed=2)
    assert len(store.runs.select()) == 2


def test_a_snapshot_sees_nothing_of_what_is_written_meanwhile(store: Store) -> None:
    with open_store(store.path, read_only=True) as reader:
        before = reader.connection.version()
        with reader.connection.snapshot():
            assert reader.runs.select() == []
            with reader.connection.snapshot():
                store.runs.create("run", {}, seed=1)
            assert reader.runs.select() == []
        assert len(reader.runs.select()) == 1
        assert reader.connection.version() != before, "another connection has committed"
        assert reader.connection.version() == reader.connection.version()


def test_a_backup_holds_what_is_committed_and_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    run = store.runs.create("run", {}, seed=1)
    target = tmp_path / "copy.db"
    store.connection.backup(target)
    with open_store(target) as copy:
        assert copy.runs.select() == [run]
    with pytest.raises(StoreError, match="exists already"):
        store.connection.backup(target)
    with pytest.raises(StoreError, match="cannot be opened"):
        store.connection.backup(tmp_path / "none" / "copy.db")


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A folder that another user can reach (pytest's own are closed to others)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def as_other(work: Callable[[], object]) -> str:
    """What ``work`` raises, or nothing, in a process of a user whom permissions bind: root may write anywhere."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()

    def child() -> None:
        if os.geteuid() == 0:
            os.setuid(65534)
        try:
            work()
            theirs.send("")
        except Exception as error:
            theirs.send(f"{type(error).__name__}: {error}")

    process = context.Process(target=child)
    process.start()
    process.join()
    assert ours.poll(), "the process died"
    return str(ours.recv())


def write(path: Path) -> None:
    with open_store(path) as store:
        store.runs.create("run", {}, seed=1)


def read(path: Path) -> None:
    with open_store(path, read_only=True) as store:
        assert len(store.runs.select()) == 1


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_read_only_file_can_be_read_but_not_written(shared_folder: Path) -> None:
    path = shared_folder / "agentr.db"
    write(path)
    path.chmod(0o444)
    shared_folder.chmod(0o777)
    assert as_other(lambda: write(path)) == (
        f"StoreError: the database {path} cannot be written: make the file and its folder writable"
    )
    assert as_other(lambda: read(path)) == ""


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
def test_a_file_in_a_read_only_folder_can_be_read_but_not_written(shared_folder: Path) -> None:
    path, new = shared_folder / "agentr.db", shared_folder / "new.db"
    write(path)
    path.chmod(0o666)
    shared_folder.chmod(0o555)
    assert as_other(lambda: write(path)) == (
        f"StoreError: the database {path} cannot be written: make the file and its folder writable"
    )
    assert as_other(lambda: write(new)) == (
        f"StoreError: the database {new} cannot be opened: check that its folder exists and is writable"
    )
    assert as_other(lambda: read(path)) == ""
    shared_folder.chmod(0o755)
