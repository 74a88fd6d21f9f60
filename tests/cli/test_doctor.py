"""``agentr doctor`` finds what is there, and says what to do about the rest."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentr_core.cli.main import main
from agentr_core.errors import StoreError
from agentr_core.registry.lookup import use
from agentr_core.store import open_store


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    use(None)
    yield
    use(None)


def findings(capsys: pytest.CaptureFixture[str], path: Path, code: int = 0) -> dict[str, dict[str, str]]:
    assert main(["doctor", "--json", "--db", str(path)]) == code
    return {row["what"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_new_project_is_fine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = findings(capsys, tmp_path / "agentr.db")
    assert found["database"]["state"] == "ok" and "the first run makes it" in found["database"]["detail"]
    assert not (tmp_path / "agentr.db").exists()
    assert {"python", "torch", "extra textcraft", "extra train", "java", "plugins", "disk"} <= set(found)
    assert all(row["advice"] for row in found.values() if row["state"] != "ok")


def test_a_store_is_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    open_store(tmp_path / "agentr.db").close()
    assert "0 runs" in findings(capsys, tmp_path / "agentr.db")["database"]["detail"]


def test_a_foreign_database_needs_mending(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    found = findings(capsys, path, code=1)
    assert found["database"]["state"] == "broken" and "--db" in found["database"]["advice"]


def test_the_text_says_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["doctor", "--db", str(tmp_path / "agentr.db")]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(number for number, line in enumerate(lines) if line.startswith("missing  java"))
    assert "install Java 8 or newer" in lines[row + 1]


def test_a_java_without_a_compiler(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "java"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    found = findings(capsys, tmp_path / "agentr.db")
    assert found["java"]["detail"] == str(program) and found["javac"]["state"] == "missing"
    (program.parent / "javac").write_bytes(program.read_bytes())
    (program.parent / "javac").chmod(0o755)
    assert findings(capsys, tmp_path / "agentr.db")["javac"]["state"] == "ok"


def test_an_sqlite_that_is_too_old_is_told_before_a_file_is_made(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    monkeypatch.setattr(sqlite3, "sqlite_version", "3.34.1")
    with pytest.raises(StoreError, match=r"needs SQLite 3.37 or newer, and this Python is built with 3.34.1; use a"):
        open_store(tmp_path / "agentr.db")
    assert not list(tmp_path.iterdir())
    found = findings(capsys, tmp_path / "agentr.db", 1)["sqlite"]
    assert found["state"] == "broken" and "3.34.1" in found["detail"]
