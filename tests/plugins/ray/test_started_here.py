"""Ray that the executor starts on this machine by itself."""

from __future__ import annotations

import os

import pytest

from agentr_core.testing import Check, checks

os.environ |= {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("check", checks("executor", "ray", {"workers": 2}), ids=str)
def test_the_contract(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever cluster the machine has already: Ray of our own is started where no address is given."""
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    check()
