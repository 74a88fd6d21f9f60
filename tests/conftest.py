"""Tests see what a user's shell shows: the environment activated, and no terminal's width. Slow files go first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_configure() -> None:
    """Here and in every worker, before anything is collected; programs that tests start inherit it."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else each of hundreds of programs compiles all of agentr anew
    # A Java process of a test lives for seconds: what the second compiler makes of the simulator is never used, and a
    # fifth of its start is the check of classes that javac made.
    quick = "-XX:TieredStopAtLevel=1 -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
    os.environ.setdefault("JAVA_TOOL_OPTIONS", quick)
    # A model that is not here is not here: on a net that is not there it would be looked for half a minute long.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.pop("COLUMNS", None)  # whoever runs the tests may have said how wide their terminal is


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with a slow test first: one that begins last keeps a single core busy while the others are idle."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True, scope="module")
def _forgotten(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Modules that a file's tests have written and imported: the next file's may have the same names."""
    yield
    folder = tmp_path_factory.getbasetemp()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__dict__", {}).get("__file__")
        if file and Path(file).is_relative_to(folder):
            del sys.modules[name]
