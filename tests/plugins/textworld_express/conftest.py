from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Make = Callable[..., Any]


@pytest.fixture(scope="session")
def java() -> str:
    """The java program; the test is skipped where there is none, or the games are not installed."""
    for package in ("textworld_express", "py4j"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs the package '{package}': pip install 'agentr-core[textworld-express]'")
    home = os.environ.get("JAVA_HOME")
    found = (shutil.which(str(Path(home, "bin", "java"))) if home else None) or shutil.which("java")
    if found is None:
        pytest.skip("needs Java: install Java 8 or newer")
    return found


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for demonstrations, so that the user's own is left alone."""
    return str(tmp_path_factory.mktemp("demonstrations"))


@pytest.fixture(scope="session")
def make(java: str, cache: str) -> Iterator[Make]:
    """Makes environments over one Java process that lives as long as the tests."""
    from agentr_textworld_express.config import TextWorldExpressConfig
    from agentr_textworld_express.env import TextWorldExpress

    made: list[Any] = []

    def new(**options: Any) -> Any:
        made.append(TextWorldExpress(TextWorldExpressConfig(**{"game": "all", "cache": cache, **options})))
        return made[-1]

    new()  # holds the shared process
    yield new
    for environment in made:
        environment.close()


@pytest.fixture
def apart(make: Make) -> Iterator[Make]:
    """Makes environments over a process of their own, which ends with the test."""
    made = []

    def new(**options: Any) -> Any:
        made.append(make(**{"memory_mb": 257, **options}))  # other settings, another process
        return made[-1]

    yield new
    for environment in made:
        environment.close()
