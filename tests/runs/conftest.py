"""The program in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from mixed_runs import together as together
from mixed_runs import trained as trained
from project_stages import empty as empty
from project_stages import project as project
from project_stages import searched as searched
from project_stages import settings as settings
from scripted_runs import Agentr, command, environment, last_of_each

from agentr_core.cli.main import main


@pytest.fixture
def agentr(tmp_path: Path) -> Agentr:
    """Runs the program in an empty folder."""

    def call(*arguments: str, cwd: Path = tmp_path, **extra: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*arguments), cwd=cwd, env=environment(**extra), capture_output=True, text=True, timeout=300
        )

    return call


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Agentr:
    """The same in this process, which is quicker: where being a process of its own is not the point."""

    def call(*arguments: str, cwd: Path = tmp_path, **extra: str) -> subprocess.CompletedProcess[str]:
        before = set(sys.modules)
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            patch.setattr(sys, "path", [*sys.path])
            for name in [name for name in os.environ if name.startswith("AGENTR_")]:
                patch.delenv(name)
            for name, value in extra.items():
                patch.setenv(name, value)
            capsys.readouterr()
            code = main(last_of_each(arguments))
        for name in set(sys.modules) - before:  # the next call finds its own modules in its own folder
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
                del sys.modules[name]
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return call
