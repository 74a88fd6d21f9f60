from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.product import Catalogue
from shared_data import read_json, shared_data

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the original's 1,000 products, which cannot be shipped."""
    return shared_data("webshop", "products_1000_env.jsonl").parent


@pytest.fixture(scope="session")
def real(shared: Path) -> Catalogue:
    """The original's 1,000 products."""
    return load_catalogue(str(shared))


@pytest.fixture(scope="session")
def generated() -> Catalogue:
    """The catalogue that is used when nothing is said."""
    return load_catalogue()


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    """What the real Lucene makes of the generated catalogue (tests/plugins/webshop/golden/webshop_lucene.py)."""
    return read_json(GOLDEN / "webshop_generated.json.gz")
