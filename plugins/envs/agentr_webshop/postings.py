"""The inverted index: which products have which terms, and how much a term says about each of them.

Built without a loop over postings: a block of documents becomes one array of term numbers, which is sorted and counted.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agentr_webshop.analysis import term
from agentr_webshop.product import Product
from agentr_webshop.words import words

K1, B = np.float32(0.9), np.float32(0.4)
#: Documents whose postings are sorted in one go.
_BLOCK = 20_000

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Postings:
    """An inverted index, term after term in compressed rows; the arrays may be mapped from files.

    ``vocabulary``: terms, in the order of their rows. ``starts``: [terms + 1], where each row begins. ``documents``:
    [postings], positions in the catalogue, ascending in a row. ``saturations``: [postings], the divisor
    ``1 + tf / (k1 * (1 - b + b * L / avgdl))``. ``idfs``: [terms]. ``ranks``: [documents], the place of each document
    in the order of ASINs.
    """

    vocabulary: tuple[str, ...]
    starts: Longs
    documents: Ints
    saturations: Floats
    idfs: Floats
    ranks: Ints


def build_postings(products: Sequence[Product]) -> Postings:
    """Index the searchable text of products (:func:`document`)."""
    rows = _Rows()
    lengths = np.empty(len(products), np.int64)
    for start in range(0, len(products), _BLOCK):
        block = products[start : start + _BLOCK]
        lengths[start : start + len(block)] = rows.add(start, [document(product) for product in block])
    starts, documents, counts = rows.joined()
    return Postings(
        vocabulary=tuple(rows.vocabulary),
        starts=starts,
        documents=documents,
        saturations=1 + counts * inverse_norms(lengths)[documents],
        idfs=inverse_frequencies(int(np.count_nonzero(lengths)), np.diff(starts)),
        ranks=_ranks(products),
    )


def document(product: Product) -> str:
    """What of a product can be found: title, description, *first* bullet and options."""
    options = ", and ".join(f"{group}: {', '.join(values)}" for group, values in product.options.items())
    first = product.bullets[0] if product.bullets else ""
    return f"{product.title} {product.description} {first} {options}".lower()


def inverse_frequencies(documents: int, containing: Longs) -> Floats:
    """``ln(1 + (N - df + 0.5) / (df + 0.5))`` for each df; N counts the documents that have any term at all."""
    frequencies: Floats = np.log(1 + (documents - containing + 0.5) / (containing + 0.5)).astype(np.float32)
    return frequencies


def inverse_norms(lengths: Longs) -> Floats:
    """``1 / (k1 * (1 - b + b * L / avgdl))`` for each document, with L rounded and avgdl exact."""
    average = np.float32(lengths.sum() / max(1, np.count_nonzero(lengths))) or np.float32(1)
    rounded = np.array([rounded_length(length) for length in range(int(lengths.max(initial=0)) + 1)], np.float32)
    norms: Floats = np.float32(1) / (K1 * ((1 - B) + B * rounded[lengths] / average))
    return norms


def rounded_length(length: int) -> int:
    """A length as it comes back from Lucene's one byte: what is above 24 keeps its four highest bits."""
    above = length - 24
    if above < 16:
        return length
    shift = above.bit_length() - 4
    return 24 + (above >> shift << shift)


class _Vocabulary(dict[str, int]):
    """Term -> row, in the order of first occurrence."""

    def __missing__(self, key: str) -> int:
        self[key] = len(self)
        return self[key]


class _WordRows(dict[str, int]):
    """Word as written -> its term's row, -1 for a stop word: each distinct word is analysed once."""

    def __init__(self, vocabulary: _Vocabulary) -> None:
        super().__init__()
        self.vocabulary = vocabulary

    def __missing__(self, key: str) -> int:
        found = term(key)
        self[key] = self.vocabulary[found] if found else -1
        return self[key]


class _Rows:
    """Postings in the making, block after block of documents."""

    def __init__(self) -> None:
        self.vocabulary = _Vocabulary()
        self._rows = _WordRows(self.vocabulary)
        self._blocks: list[tuple[Ints, Ints, Ints]] = []

    def add(self, start: int, texts: list[str]) -> Longs:
        """Take in the documents from position ``start`` on; returns their lengths in terms."""
        flat, written = array("i"), np.empty(len(texts), np.int64)
        for at, text in enumerate(texts):
            found = words(text)
            flat.extend(map(self._rows.__getitem__, found))
            written[at] = len(found)
        rows = np.frombuffer(flat, np.int32) if flat else np.empty(0, np.int32)
        owners = np.repeat(np.arange(len(texts), dtype=np.int64), written)[rows >= 0]
        keys, counts = np.unique(rows[rows >= 0].astype(np.int64) * _BLOCK + owners, return_counts=True)
        self._blocks.append(
            ((keys // _BLOCK).astype(np.int32), (keys % _BLOCK + start).astype(np.int32), counts.astype(np.int32))
        )
        return np.bincount(owners, minlength=len(texts))

    def joined(self) -> tuple[Longs, Ints, Floats]:
        """Starts of rows, documents and counts of all blocks; each block adds to the end of its terms' rows."""
        terms = len(self.vocabulary)
        sizes = [np.bincount(rows, minlength=terms) for rows, _, _ in self._blocks]
        starts = np.zeros(terms + 1, np.int64)
        np.cumsum(np.sum(sizes, axis=0, dtype=np.int64) if sizes else 0, out=starts[1:])
        documents, counts = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
        ends = starts[:-1].copy()
        for size, (rows, owners, found) in zip(sizes, self._blocks, strict=True):
            inside = np.arange(len(rows)) - np.repeat(np.cumsum(size) - size, size)
            at = ends[rows] + inside
            documents[at], counts[at] = owners, found
            ends += size
        return starts, documents, counts


def _ranks(products: Sequence[Product]) -> Ints:
    ranks = np.empty(len(products), np.int32)
    ranks[sorted(range(len(products)), key=lambda position: products[position].asin)] = np.arange(len(products))
    return ranks
