from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from shared_data import read_json, shared_data

Make = Callable[..., Any]
Transcript = dict[str, Any]


@pytest.fixture(scope="session")
def transcripts() -> list[Transcript]:
    """Solutions played on ScienceWorld 1.2.3."""
    return read_json(shared_data("sciworld", "gold_transcripts.json.gz"))


@pytest.fixture(scope="session")
def published_ids() -> list[str]:
    """Agent-R's test ids, in the published order."""
    return [row["item_id"] for row in read_json(shared_data("task_ids", "sciworld_test.json"))]


@pytest.fixture(scope="session")
def java() -> str:
    """The java program; the test is skipped where there is none."""
    for package in ("scienceworld", "py4j"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs the package '{package}': pip install 'agentr-core[sciworld]'")
    home = os.environ.get("JAVA_HOME")
    found = (shutil.which(str(Path(home, "bin", "java"))) if home else None) or shutil.which("java")
    if found is None:
        pytest.skip("needs Java: install Java 8 or newer")
    return found


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled classes go into a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AGENTR_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def jdk(java: str) -> str:
    """The Java compiler; the test is skipped where there is none."""
    from agentr_sciworld.snapshots import NotCompiled, find_compiler

    try:
        return find_compiler()
    except NotCompiled as error:
        pytest.skip(f"needs a JDK: {error}")


@pytest.fixture(params=["replay", "snapshots"])
def means(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Settings: how a state is come back to."""
    if request.param == "snapshots":
        request.getfixturevalue("jdk")
    return {"snapshots": "on" if request.param == "snapshots" else "off"}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for demonstrations, so that the user's own is left alone."""
    return str(tmp_path_factory.mktemp("demonstrations"))


@pytest.fixture(scope="session")
def make(java: str, cache: str) -> Iterator[Make]:
    """Makes environments without caps over one Java process that lives as long as the tests."""
    from agentr_sciworld.config import SciWorldConfig
    from agentr_sciworld.env import SciWorld

    made: list[SciWorld] = []

    def new(**options: Any) -> SciWorld:
        values = {"max_steps": 0, "move_cap": 0, "workers": 1, "cache": cache, **options}
        made.append(SciWorld(SciWorldConfig(**values)))
        return made[-1]

    new()  # holds the shared process
    yield new
    for environment in made:
        environment.close()


@pytest.fixture
def env(make: Make) -> Any:
    return make()


@pytest.fixture
def apart(make: Make) -> Iterator[Make]:
    """Makes environments over processes of their own, which end with the test."""
    made = []

    def new(**options: Any) -> Any:
        made.append(make(**{"memory_mb": 257, **options}))  # other settings, other processes
        return made[-1]

    yield new
    for environment in made:
        environment.close()
