"""Indexes on disk: built once, then mapped by every process that needs them.

An index lies in ``<cache>/webshop/index-<catalogue's version>-<analyzer's version>``: its name says what is in it, so
it is never out of date, and it appears by one rename, so it is never half there.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

import numpy as np

from agentr_core import cache_folder, locked
from agentr_webshop.analysis import VERSION
from agentr_webshop.postings import Postings, build_postings
from agentr_webshop.product import Catalogue

logger = logging.getLogger("agentr.webshop")
_ARRAYS = ("starts", "documents", "saturations", "idfs", "ranks")
_VOCABULARY = "vocabulary.txt"


def index_folder(catalogue: Catalogue) -> Path:
    """Where the index of a catalogue is kept."""
    return cache_folder() / "webshop" / f"index-{catalogue.version}-{VERSION}"


def kept_postings(catalogue: Catalogue) -> Postings:
    """The postings of a catalogue, mapped from the cache; they are built first where they are not there.

    Processes that start together build once. Where the cache cannot be written the postings are built in memory, with
    a warning.
    """
    folder = index_folder(catalogue)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_suffix(".lock")):
            if (found := load(folder, catalogue)) is not None:
                return found
            built = build_postings(catalogue.products)
            save(built, folder)
            return load(folder, catalogue) or built
    except OSError as error:
        logger.warning("the search index cannot be kept in %s (%s): it is built again each time", folder, error)
        return build_postings(catalogue.products)


def save(postings: Postings, folder: Path) -> None:
    """Write an index beside its place and move it there; what lay there is replaced."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".index-") as scratch:
        made = Path(scratch) / "index"
        made.mkdir()
        for name in _ARRAYS:
            np.save(made / f"{name}.npy", getattr(postings, name))
        (made / _VOCABULARY).write_text("\n".join(postings.vocabulary), encoding="utf-8", newline="\n")
        if folder.exists():
            shutil.rmtree(folder)
        made.rename(folder)


def load(folder: Path, catalogue: Catalogue) -> Postings | None:
    """Map an index; None where there is none or its files do not belong together."""
    try:
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        text = (folder / _VOCABULARY).read_text(encoding="utf-8")
    except (OSError, ValueError, EOFError):
        return None
    postings = Postings(vocabulary=tuple(text.split("\n")) if text else (), **arrays)
    return postings if _fits(postings, catalogue) else None


def _fits(postings: Postings, catalogue: Catalogue) -> bool:
    terms, entries = len(postings.vocabulary), len(postings.documents)
    return (
        len(postings.starts) == terms + 1
        and len(postings.idfs) == terms
        and len(postings.saturations) == entries == postings.starts[-1]
        and len(postings.ranks) == len(catalogue.products)
    )
