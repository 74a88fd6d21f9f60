from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).resolve().parents[2] / "support" / "openenv_server.py"
ADVICE = """\
there is no interpreter with the package openenv; it drags in much, so it has an environment of its own:
python -m venv .venv-openenv && .venv-openenv/bin/pip install openenv==0.10.0
AGENTR_OPENENV_PYTHON=.venv-openenv/bin/python python -m pytest tests/plugins/openenv"""


@pytest.fixture
def python() -> str:
    """An interpreter that has the package ``openenv``."""
    found = os.environ.get("AGENTR_OPENENV_PYTHON")
    if not found:
        pytest.skip(ADVICE)
    return found


@pytest.fixture
def real(python: str) -> Iterator[Callable[[str], str]]:
    """Starts a server of the package ``openenv`` of a kind; returns its address."""
    started: list[subprocess.Popen[str]] = []

    def start(kind: str) -> str:
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        server = subprocess.Popen(
            [python, str(SERVER), kind], stdout=subprocess.PIPE, text=True, env=clean, stderr=subprocess.DEVNULL
        )
        started.append(server)
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        assert port, "the server did not start"
        return f"http://127.0.0.1:{port}"

    yield start
    for server in started:
        server.kill()
        server.communicate()
