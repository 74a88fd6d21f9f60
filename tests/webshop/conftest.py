from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from agentr_webshop.catalogue import load_catalogue
from agentr_webshop.product import Catalogue

GOLDEN = Path(__file__).parents[1] / "golden"


def read_json(path: Path) -> Any:
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return json.loads(text)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the original's 1,000 products, which cannot be shipped."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("AGENTR_SHARED_DATA", beside)) / "webshop"
    if not (folder / "products_1000_env.jsonl").exists():
        pytest.skip("no WebShop products: set AGENTR_SHARED_DATA to the folder with the reference data")
    return folder


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
    """What the real Lucene makes of the generated catalogue (tests/golden/webshop_lucene.py)."""
    return read_json(GOLDEN / "webshop_generated.json.gz")
