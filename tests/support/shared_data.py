"""Reference data that cannot be shipped: read where it is, and a reason to skip where it is not."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest


def shared_data(*parts: str) -> Path:
    """A file or folder of the reference data; the test is skipped where there is none."""
    beside = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    path = Path(os.environ.get("AGENTR_SHARED_DATA", beside)).joinpath(*parts)
    if not path.exists():
        pytest.skip(f"no {path.name}: set AGENTR_SHARED_DATA to the folder with the reference data")
    return path


def read_json(path: Path) -> Any:
    """A JSON file, packed (``.gz``) or not."""
    return json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
