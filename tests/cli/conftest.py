from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _as_wide_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have said how wide their terminal is."""
    monkeypatch.delenv("COLUMNS", raising=False)
