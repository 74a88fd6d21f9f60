"""Search as the original's Lucene index does it: BM25 with k1 = 0.9 and b = 0.4, in single precision.

For a query term that occurs q times in the query and in df of N documents, and tf times in a document of length L::

    weight = q * ln(1 + (N - df + 0.5) / (df + 0.5))
    score += weight - weight / (1 + tf / (k1 * (1 - b + b * L / avgdl)))

L is rounded as Lucene's one-byte norms are. Each step is rounded to 32 bits where Lucene's is, sums are taken in 64
bits and rounded at the end, and equal scores go by ASIN: the order is Lucene's, not nearly so.
"""

from __future__ import annotations

from collections import Counter
from threading import Lock

import numpy as np
import numpy.typing as npt

from agentr_webshop.analysis import tokens
from agentr_webshop.index_files import kept_postings
from agentr_webshop.postings import Postings, build_postings
from agentr_webshop.product import Catalogue

#: From this many products on an index is kept on disk and mapped into memory.
MAPPED_FROM = 20_000
_MOST = 4

_indexes: dict[str, Index] = {}
_lock = Lock()


class Index:
    """A catalogue's search engine; it never changes and may be shared by threads."""

    def __init__(self, postings: Postings) -> None:
        self.postings = postings
        self._rows = {term: row for row, term in enumerate(postings.vocabulary)}

    def __len__(self) -> int:
        """How many products are indexed."""
        return len(self.postings.ranks)

    def search(self, words: str, k: int = 50) -> tuple[int, ...]:
        """Positions in ``catalogue.products`` of the ``k`` best products, best first, equal ones by ASIN.

        Empty where ``words`` holds no term, or none that a product has.
        """
        scores = np.zeros(len(self), np.float64)
        for word, count in Counter(tokens(words)).items():
            if (row := self._rows.get(word)) is not None:
                self._add(scores, row, count)
        return self._best(scores, k)

    def _add(self, scores: npt.NDArray[np.float64], row: int, count: int) -> None:
        start, end = self.postings.starts[row], self.postings.starts[row + 1]
        weight = np.float32(count) * self.postings.idfs[row]
        scores[self.postings.documents[start:end]] += weight - weight / self.postings.saturations[start:end]

    def _best(self, scores: npt.NDArray[np.float64], k: int) -> tuple[int, ...]:
        found = np.flatnonzero(scores)
        rounded = scores[found].astype(np.float32)
        if len(found) > k > 0:
            last = len(found) - k
            keep = rounded >= np.partition(rounded, last)[last]
            found, rounded = found[keep], rounded[keep]
        order = np.lexsort((self.postings.ranks[found], -rounded))[: max(k, 0)]
        return tuple(found[order].tolist())


def search_index(catalogue: Catalogue) -> Index:
    """The index of a catalogue: one for all sessions of the process.

    That of a large catalogue (:data:`MAPPED_FROM`) is built once for all processes and mapped from the cache folder.
    """
    with _lock:
        if catalogue.version not in _indexes:
            small = len(catalogue.products) < MAPPED_FROM
            postings = build_postings(catalogue.products) if small else kept_postings(catalogue)
            while len(_indexes) >= _MOST:
                _indexes.pop(next(iter(_indexes)))
            _indexes[catalogue.version] = Index(postings)
        return _indexes[catalogue.version]
