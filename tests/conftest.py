"""Tests see what a user's shell shows: the environment activated, and no terminal's width."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def pytest_configure() -> None:
    """Here and in every worker, before anything is collected; programs that tests start inherit it."""
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    os.environ.pop("COLUMNS", None)  # whoever runs the tests may have said how wide their terminal is
