"""``agentr doctor`` finds what is there, and says what to do about the rest."""

from __future__ import annotations

import importlib.util
import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentr_core.cli.main import main
from agentr_core.errors import StoreError
from agentr_core.process import machine
from agentr_core.process.machine import Gpu, Machine
from agentr_core.registry.lookup import use
from agentr_core.store import open_store


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    use(None)
    yield
    use(None)


def findings(capsys: pytest.CaptureFixture[str], path: Path, code: int = 0, *options: str) -> dict[str, dict[str, str]]:
    told = [word for option in options for word in ("-o", option)]
    assert main(["doctor", "--json", "--db", str(path), *told]) == code
    return {row["what"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_new_project_is_fine(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    found = findings(capsys, tmp_path / "agentr.db")
    assert found["database"]["state"] == "ok" and "the first run makes it" in found["database"]["detail"]
    assert not (tmp_path / "agentr.db").exists()
    assert {"python", "torch", "extra textcraft", "extra train", "java", "plugins", "disk"} <= set(found)
    assert all(row["advice"] for row in found.values() if row["state"] != "ok")


def test_an_empty_file_is_a_project_that_has_not_begun(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "agentr.db"
    path.touch()
    found = findings(capsys, path)["database"]
    assert found["state"] == "ok" and "is empty yet; the first run makes it" in found["detail"]
    assert path.stat().st_size == 0


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


NO_GPU = Machine(cores=2, there=16, memory=8 << 30, free=3 << 30)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Machine]]:
    """The machine that is found, so that a test says the same with a GPU and without."""
    there = {"machine": NO_GPU}
    monkeypatch.setattr(machine, "this_machine", lambda: there["machine"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield there


def test_a_machine_without_gpus(capsys: pytest.CaptureFixture[str], tmp_path: Path, seen: dict[str, Machine]) -> None:
    found = findings(capsys, tmp_path / "agentr.db")
    assert found["machine"]["detail"] == "2 of 16 cores, 8.0 GB of memory, 3.0 GB free"
    assert found["gpu"]["detail"] == "none: models run on the CPU" and found["gpu"]["state"] == "ok"
    assert "threads" in found["torch"]["detail"] and "CUDA" in found["torch"]["detail"]
    if found["extra train"]["state"] == "ok":
        assert found["training"]["detail"].startswith("sft.processes=auto would train in 1 process (accelerate ")
    assert ("vllm" in found) == (found["extra vllm"]["state"] == "ok")


def test_a_machine_with_gpus(capsys: pytest.CaptureFixture[str], tmp_path: Path, seen: dict[str, Machine]) -> None:
    card = Gpu("NVIDIA H200", memory=139 << 30, free=130 << 30)
    seen["machine"] = Machine(16, 16, gpus=(card, card), driver="570.1")
    found = findings(capsys, tmp_path / "agentr.db")
    assert found["machine"]["detail"] == "16 cores"
    assert found["gpu 1"]["detail"] == "NVIDIA H200, 139.0 GB, 130.0 GB free" and "gpu" not in found
    if found["extra train"]["state"] == "ok":
        assert "would train in 2 processes, one on each GPU" in found["training"]["detail"]
        seen["machine"] = Machine(16, 16, gpus=(card, card, card))  # 16 rows cannot be shared out among three
        assert "would train in 2 processes" in findings(capsys, tmp_path / "agentr.db")["training"]["detail"]
    seen["machine"] = Machine(16, 16, driver="570.1")
    found = findings(capsys, tmp_path / "agentr.db")
    assert found["gpu"]["state"] == "missing" and "570.1" in found["gpu"]["detail"] and found["gpu"]["advice"]


def test_the_engines_that_would_start() -> None:
    from agentr_vllm.devices import would_start

    assert would_start(0, {}).detail == "vllm.engines=auto would start 1 engine, on the CPU"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        assert would_start(2, {}).detail == "vllm.engines=auto would start 2 engines, on the GPUs 0 and 1"
        four = would_start(4, {"tensor_parallel_size": 2})
        assert four.detail == "vllm.engines=auto would start 2 engines, on the GPUs 0,1 and 2,3"
        short = would_start(1, {"engines": 4})
        assert short.state == "missing" and "needs 4 GPUs, and 1 can be used" in short.detail


def test_a_ray_cluster_is_asked_only_where_a_run_would_use_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agentr_ray import looking

    monkeypatch.setattr(looking.metadata, "version", lambda name: "2.60.0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    assert "it is started here, with 2 workers" in looking.cluster("", NO_GPU).detail
    nobody = looking.cluster("auto", NO_GPU)
    assert nobody.state == "missing" and "no cluster runs here" in nobody.detail
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert looking.cluster(address, NO_GPU).detail == f"2.60.0; the cluster at {address} answers"
        (tmp_path / "ray").mkdir()
        (tmp_path / "ray" / "ray_current_cluster").write_text(f"{address}\n")
        assert looking.cluster("auto", NO_GPU).state == "ok"
    assert f"nobody answers at {address}" in looking.cluster(address, NO_GPU).detail


def test_a_run_that_would_use_ray_needs_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seen: dict[str, Machine]
) -> None:
    if importlib.util.find_spec("ray") is not None:
        pytest.skip("Ray is installed here")
    assert "ray" not in findings(capsys, tmp_path / "agentr.db")
    found = findings(capsys, tmp_path / "agentr.db", 0, "executor=ray", "ray.address=auto")["ray"]
    assert found["state"] == "missing" and found["advice"] == "pip install 'agentr-core[ray]'"


def test_settings_that_cannot_be_need_mending(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seen: dict[str, Machine]
) -> None:
    found = findings(capsys, tmp_path / "agentr.db", 1, "iterations=0")
    assert found["settings"]["state"] == "broken" and "iterations" in found["settings"]["detail"]


def test_a_plugin_that_fails_over_it_says_so(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, seen: dict[str, Machine]
) -> None:
    plugin = tmp_path / "clumsy.py"
    plugin.write_text(
        "from agentr_core import Finding, hookimpl\n"
        "@hookimpl\n"
        "def agentr_findings(machine, settings):\n"
        "    yield Finding('clumsy', 'ok', f'{machine.cores} cores')\n"
        "    raise OSError('no licence')\n"
    )
    assert main(["--plugin", str(plugin), "doctor", "--json", "--db", str(tmp_path / "agentr.db")]) == 1
    rows = {row["what"]: row for row in json.loads(capsys.readouterr().out)}
    (failed,) = [row for what, row in rows.items() if what.startswith("plugin ") and "clumsy" in what]
    assert failed["state"] == "broken" and "OSError: no licence" in failed["detail"]
