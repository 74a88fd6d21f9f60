"""``agentr new`` writes packages that are complete: they build, are found, pass their own tests and lint."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

from agentr_core.cli.main import main
from agentr_core.interfaces.training_sets import Reads
from agentr_core.registry.lookup import use
from agentr_core.registry.specs import KINDS

READS = get_args(Reads)
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _fresh_registry() -> Iterator[None]:
    use(None)
    yield
    use(None)


def call(*arguments: str | Path, cwd: Path, path: Path | None = None) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AGENTR_")}
    if path is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(path), *filter(None, [environment.get("PYTHONPATH")])])
    command = [sys.executable, "-m", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


class Packages(NamedTuple):
    """One new package of each kind: where they were written, and where they are installed."""

    source: Path
    site: Path


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    made = Packages(tmp_path_factory.mktemp("new"), tmp_path_factory.mktemp("site"))
    for kind in KINDS:
        assert main(["new", kind, f"my-{kind}", "--into", str(made.source)]) == 0
    install = ["pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", made.site]
    call(*install, *made.source.iterdir(), cwd=made.source)
    return made


def test_new_packages_are_found(packages: Packages) -> None:
    rows = json.loads(call("agentr_core", "plugins", "list", "--json", cwd=packages.source, path=packages.site))
    found = {row["distribution"]: row["specs"][0] for row in rows if row["distribution"].startswith("agentr-my-")}
    assert {name: (spec["kind"], spec["name"]) for name, spec in found.items()} == {
        f"agentr-my-{kind}": (kind, f"my-{kind}") for kind in KINDS
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_is_green(kind: str, packages: Packages) -> None:
    folder = packages.source / f"agentr-my-{kind}"
    printed = call("pytest", "-q", "-p", "no:cacheprovider", cwd=folder, path=packages.site)
    assert "passed" in printed and "failed" not in printed and "skipped" not in printed


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_passes_the_checks(kind: str, packages: Packages) -> None:
    if kind == "trainer":
        pytest.importorskip("transformers")  # what it is tried on is a real model
    printed = call("agentr_core", "plugins", "check", f"my-{kind}", cwd=packages.source, path=packages.site)
    assert "ok      spec: its target is of its kind" in printed and "FAILED" not in printed


@pytest.fixture(scope="module")
def mypy_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What mypy has found out about agentr and the standard library, for all calls of it."""
    return tmp_path_factory.mktemp("mypy")


def test_new_packages_are_typed_and_formatted(packages: Packages, mypy_cache: Path) -> None:
    rules = ["--isolated", "--line-length", "120", "--target-version", "py311"]
    families = ["--select", "E,F,W,I,UP,B,SIM,RUF,ANN,D1", "--ignore", "D107"]
    sources = [packages.source / f"agentr-my-{kind}" / f"agentr_my_{kind}" for kind in KINDS]
    call("ruff", "check", *rules, *families, *sources, cwd=packages.source)
    call("ruff", "check", *rules, "--select", "E,F,W,UP,B,SIM,RUF", packages.source, cwd=packages.source)
    call("ruff", "format", *rules, "--check", packages.source, cwd=packages.source)
    call("mypy", "--strict", "--cache-dir", mypy_cache, *sources, cwd=packages.source)


def test_a_trainer_of_each_kind_is_green_and_clean(tmp_path: Path, mypy_cache: Path) -> None:
    """Found by their entry points, as packages that pip has put beside each other are."""
    site = tmp_path / "site"
    for reads in READS[1:]:
        assert main(["new", "trainer", f"my-{reads}", "--reads", reads, "--into", str(tmp_path)]) == 0
        shutil.copytree(tmp_path / f"agentr-my-{reads}" / f"agentr_my_{reads}", site / f"agentr_my_{reads}")
        known = site / f"agentr_my_{reads}-0.1.0.dist-info"
        known.mkdir()
        (known / "METADATA").write_text(f"Metadata-Version: 2.1\nName: agentr-my-{reads}\nVersion: 0.1.0\n")
        (known / "entry_points.txt").write_text(f"[agentr]\nmy_{reads} = agentr_my_{reads}\n")
    tests = [tmp_path / f"agentr-my-{reads}" / "tests" for reads in READS[1:]]
    printed = call("pytest", "-q", "-p", "no:cacheprovider", *tests, cwd=tmp_path, path=site)
    assert "passed" in printed and "failed" not in printed
    sources = [site / f"agentr_my_{reads}" for reads in READS[1:]]
    call("ruff", "format", "--isolated", "--line-length", "120", "--check", *sources, cwd=tmp_path)
    call("mypy", "--strict", "--cache-dir", mypy_cache, *sources, cwd=tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["env", "Warehouse"], "error: 'Warehouse' is no name for a plugin: use small letters"),
        (["env", "a_b"], "error: 'a_b' is no name for a plugin"),
        (["env", "textcraft"], "error: there is environment 'textcraft' already, from agentr-core"),
        (["envs", "x"], "error: invalid value for"),
        (["critic", "x", "--reads", "values"], "error: --reads is about trainers"),
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
