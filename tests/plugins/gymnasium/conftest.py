from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Make = Callable[..., Any]


@pytest.fixture
def make() -> Make:
    """Makes ``gymnasium`` environments; the test is skipped where Gymnasium is not installed."""
    pytest.importorskip("gymnasium", reason="needs gymnasium: pip install 'agentr-core[gymnasium]'")
    from agentr_core import create

    return lambda id, **options: create("env", "gymnasium", id=id, modules=("gym_worlds",), **options)
