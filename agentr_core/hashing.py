"""Hashes of values: the same value, the same hash, in any process. What rows and settings are told apart by."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: the form that hashes are taken of."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)


def content_hash(value: Any) -> str:
    """A 32-digit blake2b hash of a value's canonical JSON."""
    return blake2b(canonical_json(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
