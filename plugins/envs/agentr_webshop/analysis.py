"""Index terms of a text: what Anserini's default English analyzer of Lucene makes of it.

Unicode words; a trailing ``'s`` is cut; lower case; 33 stop words go; Porter's stemmer.
"""

from __future__ import annotations

from functools import lru_cache

from agentr_webshop.porter import stem
from agentr_webshop.words import words

#: Raised with every change of the rules: an index on disk is good for one version of them.
VERSION = 1
_STOP_WORDS = """
a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was
will with
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
_APOSTROPHES = "'\u2019\uff07"


def tokens(text: str) -> list[str]:
    """The terms of ``text``, in order, repeats kept; none for a text of stop words and signs."""
    return [found for word in words(text) if (found := term(word))]


@lru_cache(maxsize=1 << 18)
def term(word: str) -> str:
    """The term of one word, empty for a stop word."""
    if len(word) > 1 and word[-1] in "sS" and word[-2] in _APOSTROPHES:
        word = word[:-2]
    # One code point at a time, as Java does: no final sigma, and a dotted capital I is a plain i.
    word = word.lower() if word.isascii() else "".join(char.lower()[0] for char in word)
    return "" if word in STOP_WORDS else stem(word)
