"""The program in the test's own process, for tests in which a process of its own is not the point."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_runs import Agentr, last_of_each

from agentr_core.cli.main import main
from agentr_core.registry.lookup import use


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Agentr:
    """Runs the program in an empty folder as a process would; it is quicker by all that is imported already."""

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
            use(None)  # plugins that a call has named are its own
        for name in set(sys.modules) - before:  # the next call finds its own modules in its own folder
            if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
                del sys.modules[name]
        return subprocess.CompletedProcess(arguments, code, *capsys.readouterr())

    return call
