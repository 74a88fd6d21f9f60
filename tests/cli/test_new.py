"""``agentr new`` writes packages that are complete: they build, are found, pass their own tests and lint."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentr_core.cli.main import main
from agentr_core.hookspecs import KINDS
from agentr_core.registry import use

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    use(None)
    yield
    use(None)


def call(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AGENTR_")}
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    command = [sys.executable, "-m", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.mark.parametrize(("kind", "name"), [*((kind, "warehouse") for kind in KINDS), ("env", "my-own-2")])
def test_a_new_package_is_green(kind: str, name: str, tmp_path: Path) -> None:
    assert main(["new", kind, name, "--into", str(tmp_path)]) == 0
    folder = tmp_path / f"agentr-{name}"
    install = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    call(*install, "--target", tmp_path / "site", folder, cwd=tmp_path)
    listed = call("agentr_core", "plugins", "list", "--kind", kind, cwd=tmp_path, path=tmp_path / "site")
    assert f"agentr-{name} 0.1.0" in listed
    tests = call("pytest", "-q", "-p", "no:cacheprovider", cwd=folder, path=tmp_path / "site")
    assert "failed" not in tests and "passed" in tests
    assert "ok" in call(
        "agentr_core", "plugins", "check", name, *_model(kind, folder), cwd=tmp_path, path=tmp_path / "site"
    )


def _model(kind: str, folder: Path) -> list[str]:
    return ["--model", str(folder / "tests" / "start")] if kind == "trainer" else []


def test_new_packages_are_typed_and_formatted(tmp_path: Path) -> None:
    rules = ["--isolated", "--line-length", "120", "--target-version", "py311"]
    for kind in KINDS:
        assert main(["new", kind, f"my-{kind}", "--into", str(tmp_path)]) == 0
        folder = tmp_path / f"agentr-my-{kind}"
        call(
            "ruff",
            "check",
            *rules,
            "--select",
            "E,F,W,I,UP,B,SIM,RUF,ANN,D1",
            "--ignore",
            "D107",
            f"agentr_my_{kind}",
            cwd=folder,
        )
        call("ruff", "check", *rules, "--select", "E,F,W,I,UP,B,SIM,RUF", "tests", cwd=folder)
        call("ruff", "format", *rules, "--check", ".", cwd=folder)
    packages = [tmp_path / f"agentr-my-{kind}" / f"agentr_my_{kind}" for kind in KINDS]
    call("mypy", "--strict", "--cache-dir", tmp_path / "cache", *packages, cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["env", "Warehouse"], "error: 'Warehouse' is no name for a plugin: use small letters"),
        (["env", "a_b"], "error: 'a_b' is no name for a plugin"),
        (["env", "textcraft"], "error: there is environment 'textcraft' already, from agentr-core"),
        (["envs", "x"], "error: invalid value for"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_name_is_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["new", *arguments, "--into", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "agentr-x").mkdir()
    assert main(["new", "env", "x", "--into", str(tmp_path)]) == 2
    assert "exists already" in capsys.readouterr().err
