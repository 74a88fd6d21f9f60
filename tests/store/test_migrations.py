from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from agentr_core.errors import StoreError
from agentr_core.hashing import content_hash
from agentr_core.runs.start_and_resume import resume, run, stored_config
from agentr_core.store import canonical_dump, open_store, schema

#: A search that code of schema 2 wrote, killed on another host: one tree done, one half grown.
SCHEMA_2 = Path(__file__).parent / "data" / "schema_2.sql"


def test_the_schema_version_counts_the_migrations(path: Path) -> None:
    open_store(path).close()
    applied = schema.migrations().applied(Database(path))
    assert len(applied) == schema.SCHEMA_VERSION
    assert schema.migrations().pending(Database(path)) == []


def test_a_file_of_an_earlier_schema_is_migrated_when_it_is_opened_even_for_reading(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(path).close()
    ours = schema.migrations()

    @ours()
    def add_notes(db: Database) -> None:
        db["notes"].create({"id": int}, pk="id")

    monkeypatch.setattr(schema, "SCHEMA_VERSION", schema.SCHEMA_VERSION + 1)
    monkeypatch.setattr(schema, "migrations", lambda: ours)
    with open_store(path, read_only=True) as store:
        assert store.connection.counts()["notes"] == 0


def test_a_run_of_the_first_schema_keeps_its_rows_and_learns_which_are_its_own(path: Path) -> None:
    make_file_of_schema_1(path)
    with open_store(path) as store:
        assert {stage.stage: stage.result_id for stage in store.runs.stages(1)} == {"train": 2, "evaluate": 1}
        assert [(row.id, row.path, row.config) for row in store.checkpoints.select()] == [
            (1, str(path.parent / "a"), {}),
            (2, str(path.parent / "b"), {}),
        ]
        assert [len(store.datasets.items(row.id)) for row in store.datasets.select()] == [1]
        assert store.connection.all("PRAGMA foreign_key_check") == []
        with pytest.raises(StoreError, match="FOREIGN KEY"), store.transaction():
            store.connection.execute("DELETE FROM datasets")


def make_file_of_schema_1(path: Path) -> None:
    db = Database(path)
    schema.migrations().apply(db, stop_before="provenance")
    runs = "1, 'K', NULL, 'run', 'done', '{}', '', 0, '', '', 0, '', '', NULL, NULL"
    stage = "1, 1, '{}', 'done', NULL, NULL, NULL"
    for table, values in [
        ("runs", runs),
        ("stages", stage.format("train")),
        ("stages", stage.format("evaluate")),
        ("messages", "x'00', NULL, 'user', 0, 'hello'"),
        ("datasets", "1, 1, 1, 'good-actor', 'good', NULL, '{}', 'h', 1"),
        ("dataset_items", "1, 0, 'good', x'00', NULL"),
        ("checkpoints", "1, 1, 1, 1, 'sft', 'm', 'm', 'a', 1, 1, NULL, ''"),
        ("checkpoints", "2, 1, 1, 1, 'other', 'm', 'm', 'b', 1, 1, NULL, ''"),
        ("evals", "1, 1, 1, 'plain', 'b', 'test', '', '{}', 'done', NULL"),
        ("evals", "2, 1, 1, 'plain', 'b', 'test', 'x', '{}', 'done', NULL"),
    ]:
        db.execute(f"INSERT INTO {table} VALUES ({values})")
    db.execute(f"PRAGMA application_id={schema.APPLICATION_ID}")
    db.execute("PRAGMA user_version=1")
    db.conn.commit()
    db.close()


@pytest.fixture
def old(path: Path) -> sqlite3.Connection:
    """A database of schema 2 at ``path``."""
    connection = sqlite3.connect(path)
    connection.row_factory = sqlite3.Row
    connection.executescript(SCHEMA_2.read_text())
    return connection


def rows(connection: sqlite3.Connection) -> dict[str, list[dict[str, Any]]]:
    """All rows by table."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in tables}


def identity(row: dict[str, Any]) -> dict[str, Any]:
    """What the hash of a run's configuration is taken of."""
    free = {"concurrency", "plugins", "stages", "out"}
    return {name: value for name, value in json.loads(row["config_json"]).items() if name not in free}


def test_a_file_of_schema_2_keeps_every_row_and_has_the_schema_of_a_new_file(
    path: Path, old: sqlite3.Connection, tmp_path: Path
) -> None:
    before = rows(old)
    open_store(path).close()
    after = rows(old)
    assert len(after.pop("_sqlite_migrations")) == schema.SCHEMA_VERSION
    assert len(before.pop("_sqlite_migrations")) == 2
    assert after.pop("accounts") == []
    assert not any(row.pop("attempts") for table in ("trees", "eval_results") for row in after[table])
    assert not any(
        row.pop(name) for name in ("cut_off", "context_full", "shown_in_part") for row in after["eval_results"]
    )
    changed = {"runs": {"config_json", "config_hash"}, "run_plugins": {"config_json"}, "trees": {"searcher_hash"}}
    gone = {"runs": {"heartbeat_at"}, "trees": {"repeat"}}
    for table, was in before.items():
        for row in (*was, *after[table]):
            for column in changed.get(table, set()) | gone.get(table, set()):
                row.pop(column, None)
    assert after == before
    assert all(
        before[table] for table in ("runs", "run_plugins", "trees", "nodes", "messages", "samples", "eval_results")
    )
    assert old.execute("PRAGMA foreign_key_check").fetchall() == []
    open_store(tmp_path / "new.db").close()
    new = sqlite3.connect(tmp_path / "new.db")
    schemas = "SELECT name, sql FROM sqlite_master ORDER BY name"
    assert [tuple(row) for row in old.execute(schemas)] == new.execute(schemas).fetchall()


def test_an_option_that_is_gone_is_taken_out_of_what_runs_are_told_apart_by(
    path: Path, old: sqlite3.Connection
) -> None:
    (before,), trees, plugins = (rows(old)[table] for table in ("runs", "trees", "run_plugins"))
    assert before["config_hash"] == content_hash(identity(before))
    assert {tree["searcher_hash"] for tree in trees} == {content_hash(identity(before)["searcher"])}
    open_store(path).close()
    (after,), trees, plugins = (rows(old)[table] for table in ("runs", "trees", "run_plugins"))
    was, now = json.loads(before["config_json"]), json.loads(after["config_json"])
    assert was["searcher"]["options"].pop("transpositions") is False
    assert now == was
    assert after["config_hash"] == content_hash(identity(after)) != before["config_hash"]
    assert {tree["searcher_hash"] for tree in trees} == {content_hash(now["searcher"])}
    (options,) = [json.loads(plugin["config_json"]) for plugin in plugins if plugin["kind"] == "searcher"]
    assert options == now["searcher"]["options"]


@pytest.mark.parametrize(("name", "value"), [("mcts", "true"), ("another:Searcher", "false")])
def test_a_run_that_used_the_option_or_another_searcher_is_left_as_it_was(
    path: Path, old: sqlite3.Connection, name: str, value: str
) -> None:
    options = (
        f"json_set(config_json, '$.searcher.name', '{name}', '$.searcher.options.transpositions', json('{value}'))"
    )
    old.execute(f"UPDATE runs SET config_json = {options}")
    plugin = f"name = '{name}', config_json = json_set(config_json, '$.transpositions', json('{value}'))"
    old.execute(f"UPDATE run_plugins SET {plugin} WHERE kind = 'searcher'")
    old.commit()
    before = rows(old)
    open_store(path).close()
    after = rows(old)
    for table, column in (("runs", "config_json"), ("runs", "config_hash"), ("trees", "searcher_hash")):
        assert [row[column] for row in after[table]] == [row[column] for row in before[table]]
    assert after["run_plugins"] == before["run_plugins"]


def test_a_run_of_schema_2_goes_on_to_the_rows_of_one_that_was_never_interrupted(
    path: Path, old: sqlite3.Connection, tmp_path: Path
) -> None:
    old.close()
    with open_store(path) as store:
        assert not store.runs.is_alive(store.runs.find("last"))
        config, stages, _ = stored_config(store.runs.find("last"))
    resume("last", db=path)
    run(config, db=tmp_path / "straight.db", stages=stages)
    assert results(path) == results(tmp_path / "straight.db")
    assert last_revisions(path) == last_revisions(tmp_path / "straight.db")


def last_revisions(path: Path) -> list[Any]:
    """What the newest revision set holds, whatever its number."""
    with open_store(path, read_only=True) as store:
        newest = store.revisions.select()[-1].id
        return [*store.revisions.samples(newest), *store.revisions.preferences(newest)]


def results(path: Path) -> list[str]:
    """The dump without the rows that hold settings or accounts: those of the old run lack what has been added since."""
    settings = ("runs", "run_plugins", "evals", "revision_sets", "accounts")
    # A set is told apart by more than it was then: what was half revised is revised anew, in a set of its own.
    settings += ("revised_trees", "samples", "preferences", "verdicts", "messages", "stages")
    with open_store(path, read_only=True) as store:
        return [line for line in canonical_dump(store) if json.loads(line)[0] not in settings]
