"""The original's hidden search commands, by the first word of a search.

``<r>``: 50 products by chance. ``<c> CATEGORY``: the products of one of the five categories; only one word counts.
``<q> WORDS``: the products that the shop itself files under these words. ``<a> ATTRIBUTE`` finds nothing: it crashes
the original's text environment. Off by default: ``<q>`` gives away a goal's kind of product.
"""

from __future__ import annotations

from agentr_core import derive_rng
from agentr_webshop.bm25 import Index
from agentr_webshop.product import Catalogue


class Prefixed:
    """A search engine that takes the hidden commands, and passes on any other search."""

    def __init__(self, catalogue: Catalogue, engine: Index) -> None:
        self._products, self._engine = catalogue.products, engine

    def search(self, words: str, k: int = 50) -> tuple[int, ...]:
        """As :meth:`agentr_webshop.bm25.Index.search`; ``<c>`` and ``<q>`` find all there are, in catalogue order.

        The original draws ``<r>`` anew each time; here the draw depends on the words, so that an episode replays.
        """
        command, _, rest = words.partition(" ")
        positions = range(len(self._products))
        if command == "<r>":
            return tuple(derive_rng(0, "webshop", words).sample(positions, min(k, len(positions))))
        if command == "<c>":
            category = rest.split(" ")[0]
            return tuple(at for at in positions if self._products[at].category == category)
        if command == "<q>":
            return tuple(at for at in positions if self._products[at].query == rest)
        return () if command == "<a>" else self._engine.search(words, k)
