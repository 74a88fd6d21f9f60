"""One loader for every source of products, cached: all sessions of a process share one catalogue."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from threading import RLock

from agentr_core import UsageError, without_collections
from agentr_webshop.generator import generate
from agentr_webshop.loading import Contents, load_path
from agentr_webshop.product import Catalogue

GENERATED = "generated"
LARGEST = 1_000_000
_lock = RLock()


def load_catalogue(source: str = GENERATED, *, size: int = 1000, seed: int = 0) -> Catalogue:
    """The catalogue of a source: ``"generated"``, a folder with WebShop's files, or its product file.

    ``size`` (1 to a million products) and ``seed`` choose the generated catalogue and are not looked at otherwise. The
    same arguments give the same object while it is among the last few. Raises :class:`~agentr_core.UsageError` for a
    size out of range and for data that cannot be used.
    """
    with _lock:  # two threads that start together must not both load
        if source != GENERATED:
            return _from_path(Path(source).expanduser().resolve())
        if not 1 <= size <= LARGEST:
            raise UsageError(f"a generated catalogue has 1 to {LARGEST:,} products, not {size:,}")
        return _generated(size, seed)


@lru_cache(maxsize=4)
def _generated(size: int, seed: int) -> Catalogue:
    with without_collections():
        return _catalogue(generate(size, seed), GENERATED)


@lru_cache(maxsize=4)
def _from_path(path: Path) -> Catalogue:
    with without_collections():
        return _catalogue(load_path(path), str(path))


def _catalogue(contents: Contents, source: str) -> Catalogue:
    return Catalogue(contents.products, source, content_version(contents), contents.human, contents.nouns)


def content_version(contents: Contents) -> str:
    """A hash of all that decides how the shop behaves (blake2b over ``ascii`` of each part, the same anywhere)."""
    digest = blake2b(digest_size=16)
    for product in contents.products:
        digest.update(ascii(product).encode())
    for instruction in contents.human:
        digest.update(ascii(instruction).encode())
    digest.update(ascii(contents.nouns and sorted(contents.nouns.items())).encode())
    return digest.hexdigest()
