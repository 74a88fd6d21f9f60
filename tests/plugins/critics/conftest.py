from __future__ import annotations

import pytest
from court import Court


@pytest.fixture
def court() -> Court:
    return Court()
