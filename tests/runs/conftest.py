"""The program in an empty folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from in_process import inside as inside
from mixed_runs import together as together
from mixed_runs import trained as trained
from project_stages import empty as empty
from project_stages import project as project
from project_stages import searched as searched
from project_stages import settings as settings
from scripted_runs import Agentr, command, environment


@pytest.fixture
def agentr(tmp_path: Path) -> Agentr:
    """Runs the program in an empty folder."""

    def call(*arguments: str, cwd: Path = tmp_path, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=300
        )

    return call
